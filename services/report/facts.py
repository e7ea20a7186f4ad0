"""What the report says of a study beside its readings, gathered from the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.engines.catalogue import title_of
from cfcore.reports.facts import LookFacts, ReaderFacts, StudyFacts
from cfcore.wording import counted, direction_name
from db.models import (
    Dataset,
    Image,
    Pair,
    ReaderProfile,
    Reading,
    ReferenceAnswer,
    Study,
    StudyReader,
    StudyVersion,
    Trial,
)
from services.reader_profiles import desk_settings
from services.results import StudyResults
from services.runs import RunRefused, RunView, run_view, versions
from services.sittings import screens
from services.study_design.planning import exposure_line, plan_balance
from services.workspace import Workspace

SOURCES = {"table": "a table", "page": "researchers", "labels": "labels of the data set", "phantom": "phantoms"}


def study_facts(workspace: Workspace, found: StudyResults) -> StudyFacts:
    """Everything that the methods text and the checklists are written from; what is unknown stays empty."""
    study = found.study
    run = _run(workspace, study.run_id)
    desk = desk_settings(workspace, study.id)
    with workspace.session() as session:
        row = session.get_one(Study, study.id)
        dataset = session.get(Dataset, study.dataset_id) if study.dataset_id else None
        n_images = session.scalar(sa.select(sa.func.count(Image.id)).where(Image.dataset_id == study.dataset_id))
        first, last = session.execute(_span(study.id)).tuples().one()
        amended = session.execute(
            sa.select(StudyVersion.number, StudyVersion.reason)
            .where(StudyVersion.study_id == study.id)
            .order_by(StudyVersion.number)
        ).all()
        profiles = {
            profile.study_reader_id: profile
            for profile in session.scalars(
                sa.select(ReaderProfile)
                .join(StudyReader, StudyReader.id == ReaderProfile.study_reader_id)
                .where(StudyReader.study_id == study.id)
                .order_by(ReaderProfile.id)
            )
        }
        readers = [
            _reader(reader, profiles.get(reader.id))
            for reader in session.scalars(sa.select(StudyReader).where(StudyReader.study_id == study.id))
        ]
        reference = _reference(session.scalars(_sources(study.id)).all(), _has_truth(session, study.id))
    rule = study.selection or {}
    return StudyFacts(
        digest=study.digest or "",
        version=row.version,
        amendments=[(number, reason) for number, reason in amended],
        engine=_methods(found) or title_of(run.engine if run else None),
        classifier=run.classifier or "" if run else "",
        generator=run.generator or "" if run else "",
        dataset=study.dataset or "",
        dataset_kind=dataset.kind if dataset else "",
        n_images=n_images or 0,
        target=str(run.settings.get("target", "")) if run else "",
        split=str(rule.get("split", "")),
        selection=f"only images that the classifier calls {rule['predicted']}" if rule.get("predicted") else "",
        flow=[(direction_name(f"excluded: {box.text}" if box.aside else box.text), box.n) for box in study.flow],
        readers=readers,
        first_reading=_day(first),
        last_reading=_day(last),
        plan=found.looks.plan,
        looks=[LookFacts(look.planned, _day(look.at), look.share, look.reason) for look in found.looks.taken],
        ethics=desk.ethics_number,
        consent=desk.ask_profile and bool(profiles),
        reference=reference,
        exposure=_exposure(workspace, found),
        screens=_screens(workspace, study.id),
        versions=report_versions(run) | _other_runs(workspace, found),
    )


def _methods(found: StudyResults) -> str:
    """The methods behind the arms, in their order: "medXGAN and Grad-CAM ablation"; "" where none is known."""
    engines = (found.methods[arm.key] for arm in found.study.protocol.arms if arm.key in found.methods)
    return " and ".join(dict.fromkeys(title_of(engine) for engine in engines))


def _exposure(workspace: Workspace, found: StudyResults) -> str:
    """How often a reader met a patient, as the lock page said it; "" for a study without planned schedules."""
    table, _ = plan_balance(workspace, found.study.id)
    return exposure_line(found.study.protocol, table.exposures) if table.exposures else ""


def _screens(workspace: Workspace, study_id: int) -> str:
    """How the readers' screens passed the test pattern; "" where nobody was asked."""
    looks = screens(workspace, study_id)
    if not looks:
        return ""
    whole = sum(look.passed for look in looks)
    return (
        f"Before {counted(len(looks), 'session')} a reader looked at a test pattern (faint patches in black and white, "
        f"gray ramp, fine lines) and saw all of it in {whole}."
    )


def report_versions(run: RunView | None) -> dict[str, str]:
    """Names, seeds, hashes and package versions of the run behind a study, and of this report."""
    here = {f"{name}, this report": version for name, version in versions().items() if name in ("cfreader", "numpy")}
    if run is None:
        return here
    inputs = {f"{kind} (SHA-256)": str(run.inputs[kind]) for kind in ("classifier", "generator") if kind in run.inputs}
    described = {"engine": run.engine or "", "classifier": run.classifier or "", "generator": run.generator or ""}
    settings = {"run": f"{run.name}, seed {run.seed}", "data set": run.dataset or ""}
    ran = {f"{name}, run": str(version) for name, version in run.versions.items()}
    return {k: v for k, v in {**settings, **described, **inputs, **ran, **here}.items() if v}


def _other_runs(workspace: Workspace, found: StudyResults) -> dict[str, str]:
    """Runs that arms took beside the study's own, each with its method, seed and hashes."""
    study, told = found.study, {}
    for run_id in dict.fromkeys(arm.run for arm in study.protocol.arms if arm.run not in (None, study.run_id)):
        if run := _run(workspace, run_id):
            hashes = [f"{kind} {value}" for kind, value in run.inputs.items() if kind in ("classifier", "generator")]
            told[f"run {run.id}"] = "; ".join([f"{run.name}, {run.engine}, seed {run.seed}", *hashes])
    return told


def _run(workspace: Workspace, run_id: int | None) -> RunView | None:
    try:
        return run_view(workspace, run_id or 0)
    except RunRefused:
        return None


def _span(study_id: int) -> sa.Select[datetime, datetime]:
    return (
        sa.select(sa.func.min(Reading.saved_at), sa.func.max(Reading.saved_at))
        .join(Trial, Trial.id == Reading.trial_id)
        .join(StudyReader, StudyReader.id == Trial.study_reader_id)
        .where(StudyReader.study_id == study_id)
    )


def _reader(reader: StudyReader, profile: ReaderProfile | None) -> ReaderFacts:
    if profile is None:
        return ReaderFacts(reader.label, reader.simulated, replaces=reader.replaces)
    return ReaderFacts(reader.label, reader.simulated, profile.specialty, profile.years, reader.replaces)


def _sources(study_id: int) -> sa.Select[str]:
    return sa.select(ReferenceAnswer.source).where(ReferenceAnswer.study_id == study_id).distinct()


def _has_truth(session: Session, study_id: int) -> bool:
    return (
        session.scalar(
            # The right answers of practice cases are no reference for anything that is counted.
            sa.select(Pair.id)
            .where(Pair.study_id == study_id, Pair.truth.is_not(None), Pair.kind != "training")
            .limit(1)
        )
        is not None
    )


def _reference(sources: Sequence[str], truth: bool) -> str:
    words = [SOURCES.get(source, source) for source in sources]
    if truth and "phantoms" not in words:
        words.append("phantoms")
    return ", ".join(words)


def _day(when: datetime | None) -> str:
    return f"{when:%-d %b %Y}" if when else ""
