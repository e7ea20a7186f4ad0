"""Rehearsing in the background: queued as a run of kind "rehearse", done by the worker, with progress and cancel."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from cfcore.study.simulated import SimulatedReader
from cfcore.wording import counted
from db.models import Rehearsal, Run, Study
from services.permissions import require
from services.rehearsal_readers import MOST_READERS, Assumed, rehearse
from services.rehearsal_removal import remove_copy
from services.runs import UNDER_WAY, RunView, latest_of_study, queue_run
from services.study_views import StudyRefused
from services.workspace import Workspace

if TYPE_CHECKING:
    from services.worker.progress import RunProgress

KIND = "rehearse"


def start_rehearsal(
    workspace: Workspace,
    study_id: int,
    readers: Sequence[SimulatedReader],
    assumed: Assumed,
    *,
    seed: int = 0,
    actor: str,
) -> int:
    """Queue a rehearsal (`services.rehearsal_readers.rehearse`) of a draft or locked study; the run's id.

    What can be seen to fail is refused at once, not when the run's turn comes. Raises StudyRefused for no reader or
    more than 20, for a study without pairs or findings, and while another rehearsal of the study is under way.
    """
    if not 1 <= len(readers) <= MOST_READERS:
        raise StudyRefused(f"{len(readers)} simulated readers: choose 1 to {MOST_READERS}.")
    if (known := latest_rehearsal(workspace, study_id)) is not None and known.state in UNDER_WAY:
        raise StudyRefused("A rehearsal of this study is under way: wait for it, or cancel it.")
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        study = session.get(Study, study_id)
        if study is None:
            raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
        if not study.pairs:
            raise StudyRefused("No pairs are made yet: choose images and arms, make the pairs, then rehearse.")
        if not study.protocol.get("findings"):
            raise StudyRefused("List the findings first: there is nothing yet that readers would be asked.")
        return queue_run(
            session,
            KIND,
            f"Rehearsal: {study.title}, {counted(len(readers), 'reader')}",
            {
                "study": study_id,
                "readers": [dataclasses.asdict(reader) for reader in readers],
                "assumed": {**dataclasses.asdict(assumed), "appears": dict(assumed.appears)},
                "actor": actor,
            },
            seed=seed,
            dataset_id=study.dataset_id,
            actor=actor,
        )


def latest_rehearsal(workspace: Workspace, study_id: int) -> RunView | None:
    """The newest run that rehearses a study, or None."""
    return latest_of_study(workspace, KIND, study_id)


def rehearse_run(workspace: Workspace, run: Run, progress: RunProgress) -> None:
    """The worker's job. A copy that a killed worker left half read goes first: a rehearsal is read as a whole."""
    settings = run.settings
    study_id, actor = int(settings["study"]), str(settings["actor"])
    remove_half_read(workspace, study_id)
    readers = [SimulatedReader(**reader) for reader in settings["readers"]]
    copy = rehearse(
        workspace, study_id, readers, Assumed(**settings["assumed"]), seed=run.seed, actor=actor, progress=progress
    )
    with workspace.session() as session:
        session.get_one(Run, run.id).result = {"rehearsal": copy}


def remove_half_read(workspace: Workspace, study_id: int) -> int:
    """Remove the copies of a study that were never read to the end; returns how many there were."""
    with workspace.session() as session:
        query = sa.select(Rehearsal.study_id).join(Study, Study.id == Rehearsal.study_id)
        copies = session.scalars(query.where(Rehearsal.source_id == study_id, Study.state != "closed")).all()
        for copy in copies:
            remove_copy(session, copy, "worker")
    return len(copies)
