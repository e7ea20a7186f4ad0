"""What leaves the workspace: the report of a study, its readings as a table, the codebook."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pandas as pd

from cfcore.reports.codebook import codebook, tidy_csv
from cfcore.reports.content import CaseReading, Picture, ReportCase, ReportContent, ReportEntry
from cfcore.reports.html import study_report
from cfcore.study.agreement import cohen_pairs
from cfcore.study.resampling import resample_patients
from cfcore.study.shaping import readings_only, wide
from cfcore.wording import counted
from db.models import now
from services.log import log_event
from services.notebook import export_entries
from services.pairs import pair_units
from services.pictures import thumbnail_png
from services.result_truth import truth_for_report
from services.results import Case, StudyResults, results
from services.runs import RunRefused, run_view, versions
from services.study_views import StudyView
from services.workspace import Workspace

PREVIEW_SIDE = 112
MAX_BYTES = 2_500_000


def write_report(workspace: Workspace, study_id: int, *, actor: str = "system") -> str:
    """The report of a study as one HTML file: protocol, tables, cases with previews, notebook, versions, limitations.

    What was exported, and when, is logged. Raises StudyRefused where there is no such study.
    """
    found = results(workspace, study_id)
    study = found.study
    content = ReportContent(
        protocol=study.protocol,
        digest=study.digest or "not locked",
        status=f"Closed {study.closed_at:%-d %b %Y}" if study.closed_at else "Open for reading",
        created=f"{now():%-d %b %Y, %H:%M} UTC",
        headline=found.headline,
        findings=found.findings,
        per_reader=found.per_reader,
        readers=found.readers,
        ratings=found.ratings,
        pairs_of_readers=_pairs_of_readers(found),
        cases=[_case(workspace, found, case) for case in found.cases],
        entries=[ReportEntry(**entry) for entry in export_entries(workspace, study_id)],
        simulated=found.simulated,
        versions=_versions(workspace, study),
        limitations=limitations(found),
        interim=found.interim,
        true_factors=truth.effects if (truth := truth_for_report(workspace, found)) else (),
    )
    log_event(workspace, actor, "report written", f"study {study_id}", readings=found.headline.readings_done)
    return study_report(content, max_bytes=MAX_BYTES)


def export_csv(workspace: Workspace, study_id: int) -> str:
    """The decoded checklist answers as tidy CSV: one row per reader, pair and finding."""
    return tidy_csv(results(workspace, study_id).decoded)


def export_ratings(workspace: Workspace, study_id: int) -> str:
    """The ratings as tidy CSV: one row per reader, pair and rating."""
    return tidy_csv(results(workspace, study_id).rated)


def export_codebook(workspace: Workspace, study_id: int) -> str:
    """The meaning of every column of both tables, as CSV."""
    return codebook(results(workspace, study_id).study.protocol)


def file_stem(study: StudyView) -> str:
    """A file name for exports: the study's title in plain letters, "study-3-cardiomegaly-v17-v2"."""
    plain = unicodedata.normalize("NFKD", study.title).encode("ascii", "ignore").decode().casefold()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-")
    return f"study-{study.id}-{words}" if words else f"study-{study.id}"


def limitations(found: StudyResults) -> tuple[str, ...]:
    """What a reader of this report must know about this study, beside what holds for every study."""
    study, line = found.study, found.headline
    notes = []
    if found.simulated:
        everybody = len(found.simulated) == len(study.readers)
        who = "All readers are" if everybody else f"Readers {', '.join(found.simulated)} are"
        notes.append(f"{who} simulated: their readings test the tool and say nothing about radiologists.")
    if found.interim:
        notes.append("The study is still open: every number here is interim.")
    if study.changed_after_preview:
        notes.append("The questions were changed after somebody had seen pairs, before the lock.")
    missed = sum(not pair.flipped for pair in study.pairs)
    if missed:
        notes.append(
            f"{missed} of {counted(line.pairs, 'pair')} did not change the classifier's mind at degree "
            f"{study.protocol.degree:g}; they were shown and counted all the same."
        )
    if line.readers < 5:
        these, them = ("this reader", "him or her") if line.readers == 1 else ("these readers", "them")
        notes.append(f"{counted(line.readers, 'reader')}: the results hold for {these}, not for others like {them}.")
    return tuple(notes)


def _pairs_of_readers(found: StudyResults) -> pd.DataFrame:
    """Cohen's kappa of each pair of readers over (pair, finding), with an interval from a bootstrap over patients: a
    patient has a row for every finding, so rows are no cases of their own."""
    cases = wide(readings_only(found.decoded), "appears", ("patient", "pair", "finding"))
    # The fourth stream of the study's seed; the first three are the tables of `services.results`.
    patients = list(cases.index.get_level_values("patient"))
    resample = resample_patients(patients, np.random.default_rng([found.study.seed, 3]))
    return cohen_pairs(cases, categories=(False, True), resample=resample)


def _versions(workspace: Workspace, study: StudyView) -> dict[str, str]:
    named = {f"{name}, this report": version for name, version in versions().items() if name in ("cfreader", "numpy")}
    try:
        run = run_view(workspace, study.run_id or 0)
    except RunRefused:
        return named
    inputs = {f"{kind} (SHA-256)": str(run.inputs[kind]) for kind in ("classifier", "generator") if kind in run.inputs}
    described = {"engine": run.engine or "", "classifier": run.classifier or "", "generator": run.generator or ""}
    settings = {"run": f"{run.name}, seed {run.seed}", "data set": run.dataset or ""}
    ran = {f"{name}, run": str(version) for name, version in run.versions.items()}
    return {k: v for k, v in {**settings, **described, **inputs, **ran, **named}.items() if v}


def _case(workspace: Workspace, found: StudyResults, case: Case) -> ReportCase:
    pair = case.pair
    reference = found.study.protocol.reference.capitalize()
    pictures = [
        Picture(f"{caption} (preview)", thumbnail_png(unit, PREVIEW_SIDE))
        for caption, unit in zip((reference, "Counterfactual"), pair_units(workspace, pair), strict=True)
    ]
    return ReportCase(
        label=case.label,
        patient=case.patient,
        arm=case.arm,
        readings=[
            CaseReading(
                reader=f"{reading.reader} (simulated)" if reading.simulated else reading.reader,
                seen=reading.seen,
                ratings=reading.ratings,
                comment=reading.comment,
                seconds=reading.seconds,
            )
            for reading in case.readings
        ],
        facts={
            "p of the target, original": f"{pair.p_source:.2f}",
            "reconstruction": f"{pair.p_reconstruction:.2f}",
            "counterfactual": f"{pair.p_counterfactual:.2f}",
            "class": "flipped" if pair.flipped else "did not flip",
        },
        pictures=pictures,
    )
