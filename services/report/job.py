"""Writing a report in the background: queued as a run of kind "report", done by the worker, kept in the file store."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from db.models import Event, Reading, Run, StudyReader, Trial
from services.log import log_event
from services.permissions import require
from services.report.looks import ResultsSealed, look_state
from services.runs import UNDER_WAY, RunView, latest_of_study, queue_run
from services.study_views import StudyRefused, StudyView, study_view
from services.workspace import Workspace

if TYPE_CHECKING:
    from services.worker.progress import RunProgress

KIND = "report"


@dataclass(frozen=True)
class ReportView:
    """A report that was asked for. `files`: "report.html", "report.pdf" and "all.zip" -> key in the file store, those
    that are written; `notes`: what was left out and why; `stale`: the study has changed since."""

    run: RunView
    files: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    written: datetime | None = None
    stale: bool = False

    @property
    def state(self) -> str:
        """ "under way", "ended early" or "done"."""
        return "under way" if self.run.state in UNDER_WAY else "done" if self.run.state == "done" else "ended early"


def start_report(workspace: Workspace, study_id: int, *, actor: str) -> int:
    """Queue the writing of a study's report and of everything that goes with it; the run's id.

    A report that waits or is being written already is not asked for twice.

    Raises StudyRefused where there is no such study or it is a draft, ResultsSealed where it is open and nobody has
    taken a look.
    """
    with workspace.session() as session:
        require(session, actor, study_id, "results")
    study = study_view(workspace, study_id)
    if study.state == "draft":
        raise StudyRefused("A draft has no results: lock the study and let it be read first.")
    people = any(not reader.simulated for reader in study.readers)
    if study.state != "closed" and people and not look_state(workspace, study_id).taken:
        raise ResultsSealed("The study is still being read: close it first, or take a look under Results.")
    known = latest_report(workspace, study_id)
    if known is not None and known.state == "under way":
        return known.run.id
    with workspace.session() as session:
        settings = {"study": study_id, "actor": actor}
        return queue_run(
            session,
            KIND,
            f"Report: {study.title}",
            settings,
            seed=study.seed,
            dataset_id=study.dataset_id,
            actor=actor,
        )


def latest_report(workspace: Workspace, study_id: int) -> ReportView | None:
    """The newest report of a study, or None."""
    run = latest_of_study(workspace, KIND, study_id)
    if run is None:
        return None
    result = run.result
    return ReportView(
        run,
        dict(result.get("files", {})),
        tuple(result.get("notes", ())),
        run.finished_at,
        bool(result) and tuple(result.get("of", ())) != _state(workspace, study_id),
    )


def report_file(workspace: Workspace, report: ReportView, name: str) -> bytes:
    """The content of a written file. Raises FileNotFoundError naming it."""
    try:
        return workspace.get(report.files[name])
    except (KeyError, FileNotFoundError) as error:
        raise FileNotFoundError(f"{name} is not in the workspace any more: write the report again") from error


def report_run(workspace: Workspace, run: Run, progress: RunProgress) -> None:
    """The worker's job: write every file, keep them, forget those of the report before."""
    from services.report.bundle import archive, study_files
    from services.results import shown_results

    study_id = int(run.settings["study"])
    of = _state(workspace, study_id)
    found = shown_results(workspace, study_id)
    files, notes = study_files(workspace, found, progress)
    kept = {"all.zip": workspace.put(archive(files, file_stem(found.study)), ".zip")}
    for name in ("report.html", "report.pdf"):
        if name in files:
            kept[name] = workspace.put(files[name], f".{name.rpartition('.')[2]}")
    with workspace.session() as session:
        session.get_one(Run, run.id).result = {"files": kept, "notes": notes, "of": list(of), "n_files": len(files)}
        earlier = session.scalars(sa.select(Run).where(Run.kind == KIND, Run.id != run.id)).all()
        old = [row for row in earlier if row.settings.get("study") == study_id and row.result.get("files")]
        gone = [key for row in old for key in row.result["files"].values()]
        for row in old:
            row.result = {}
    for key in gone:
        workspace.delete(key)
    actor = str(run.settings.get("actor", "worker"))
    log_event(
        workspace, actor, "report written", f"run {run.id}", study=study_id, readings=found.headline.readings_done
    )


def file_stem(study: StudyView) -> str:
    """A file name for exports: the study's title in plain letters, "study-3-cardiomegaly-v17-v2"."""
    plain = unicodedata.normalize("NFKD", study.title).encode("ascii", "ignore").decode().casefold()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-")
    return f"study-{study.id}-{words}" if words else f"study-{study.id}"


def _state(workspace: Workspace, study_id: int) -> tuple[int, int]:
    """Grows with every reading and every event of the study."""
    reading = (
        sa.select(sa.func.max(Reading.id))
        .join(Trial, Trial.id == Reading.trial_id)
        .join(StudyReader, StudyReader.id == Trial.study_reader_id)
        .where(StudyReader.study_id == study_id)
    )
    event = sa.select(sa.func.max(Event.id)).where(Event.subject == f"study {study_id}")
    with workspace.session() as session:
        return session.scalar(reading) or 0, session.scalar(event) or 0
