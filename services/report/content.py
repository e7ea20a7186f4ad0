"""The report of a study, put together from its results, its cases, its notebook and what the workspace knows of it."""

from __future__ import annotations

from cfcore.reports.content import KeptBack, Picture, ReportContent, ReportEntry
from cfcore.wording import counted
from db.models import now
from services.displayed import size_warning
from services.notebook import export_entries
from services.pictures import thumbnail_png
from services.report.cases import PREVIEW_SIDE, report_case
from services.report.facts import study_facts
from services.report.outside import outside_tables
from services.result_truth import truth_for_report
from services.results import StudyResults
from services.study_design.documents import exclusion_units, exclusions, flow_diagram
from services.study_design.locking import integrity
from services.study_views import StudyView
from services.workspace import Workspace

MOST_KEPT_BACK = 12


def report_content(workspace: Workspace, found: StudyResults, *, pictures: bool = True) -> ReportContent:
    """Everything that the report shows. pictures: previews of the pairs, which take most of the time."""
    study, tables = found.study, found.tables
    facts = study_facts(workspace, found)
    truth = truth_for_report(workspace, found)
    return ReportContent(
        protocol=study.protocol,
        digest=study.digest or "not locked",
        status=f"Closed {study.closed_at:%-d %b %Y}" if study.closed_at else "Open for reading",
        created=f"{now():%-d %b %Y, %H:%M} UTC",
        headline=found.headline,
        findings=found.findings,
        per_reader=found.per_reader,
        readers=found.readers,
        ratings=found.ratings,
        pairs_of_readers=tables.pairs_of_readers,
        cases=[report_case(workspace, found, case, pictures) for case in found.cases],
        entries=[ReportEntry(**entry) for entry in export_entries(workspace, study.id)],
        simulated=found.simulated,
        versions=dict(facts.versions),
        limitations=(*limitations(found), *sizes(workspace, study), *changes(workspace, study.id)),
        interim=found.interim,
        true_factors=truth.effects if truth else (),
        true_findings=(truth.findings if truth else None) or {},
        tables=tables,
        facts=facts,
        decoded=found.decoded,
        flow_svg=flow_diagram(workspace, study.id),
        kept_back=_kept_back(workspace, study.id) if pictures else (),
        outside=outside_tables(workspace, found),
    )


def sizes(workspace: Workspace, study: StudyView) -> tuple[str, ...]:
    """What was done about arms of different native size; nothing where they are of one."""
    warning = size_warning(workspace, study)
    return (warning,) if warning else ()


def changes(workspace: Workspace, study_id: int) -> tuple[str, ...]:
    """What was changed outside of the program since the lock, and a clock that went back; nothing where all holds."""
    found = integrity(workspace, study_id)
    told = " ".join(found.changes)
    return (*((f"This study is not what was locked: {told}",) if told else ()), *found.notes)


def _kept_back(workspace: Workspace, study_id: int) -> tuple[KeptBack, ...]:
    kept = [gone for gone in exclusions(workspace, study_id) if gone.original_key][:MOST_KEPT_BACK]
    return tuple(
        KeptBack(
            f"{gone.reason.capitalize()}: p of the target {gone.p_source:.2f} in the original, "
            f"{gone.p_reconstruction:.2f} in the reconstruction; structural similarity {gone.ssim:.2f}.",
            [
                Picture(caption, thumbnail_png(unit, PREVIEW_SIDE))
                for caption, unit in zip(("Original", "Reconstruction"), exclusion_units(workspace, gone), strict=True)
            ],
        )
        for gone in kept
    )


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
    if found.exploratory:
        notes.append(
            "Somebody looked at the results without a plan before the study was closed: every p value is exploratory."
        )
    if study.changed_after_preview:
        notes.append("The questions were changed after somebody had seen pairs, before the lock.")
    counterfactuals = [pair for pair in study.pairs if pair.arm in {arm.key for arm in study.protocol.arms}]
    missed = sum(not pair.flipped for pair in counterfactuals)
    if missed:
        notes.append(
            f"{missed} of {counted(len(counterfactuals), 'pair')} did not change the classifier's mind at degree "
            f"{study.protocol.degree:g}; they were shown and counted all the same."
        )
    if study.protocol.allocation == "same patients":
        arms = len(study.protocol.arms)
        notes.append(f"Every reader met each patient {arms} times, once under each arm: memory may carry over.")
    if line.readers < 5:
        these, them = ("this reader", "him or her") if line.readers == 1 else ("these readers", "them")
        notes.append(f"{counted(line.readers, 'reader')}: the results hold for {these}, not for others like {them}.")
    return tuple(notes)
