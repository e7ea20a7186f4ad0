"""A rehearsal is a run of the worker's: queued, followed, cancelled, and begun anew after a kill."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from cfcore.study.simulated import SimulatedReader
from db.models import Rehearsal, Run, Study, StudyReader
from services import rehearsal_readers
from services.permissions import NotAllowed
from services.rehearsal_job import KIND, latest_rehearsal, remove_half_read, start_rehearsal
from services.rehearsal_readers import Assumed, recovered, rehearsals, rehearse
from services.rehearsal_removal import remove_copies
from services.runs import cancel_run, resume_run, run_view
from services.study_views import StudyRefused
from services.worker import lease, progress, queue
from services.worker.loop import do
from services.workspace import Workspace
from tests.browser.studies import add_reader, make_study, noise_pairs

READERS = (SimulatedReader("", 0.9, 0.95, stops_after=6), SimulatedReader("", 0.8, 0.9))
ASSUMED = Assumed(0.3, {"v17 +": 0.6})


@pytest.fixture
def study(workspace: Workspace) -> int:
    study_id = make_study(workspace, [(a[:8, :8], b[:8, :8]) for a, b in noise_pairs(8)])
    with workspace.session() as session:
        session.get_one(Study, study_id).state = "draft"
    return study_id


def work_off(workspace: Workspace, stopping: threading.Event | None = None) -> None:
    """What the worker does with the next run."""
    assert lease.take(workspace, "test")
    run = queue.next_run(workspace, "test")
    assert run is not None
    do(workspace, run, "test", stopping or threading.Event())
    lease.release(workspace, "test")


def copies(workspace: Workspace) -> int:
    with workspace.session() as session:
        return session.scalar(sa.select(sa.func.count(Rehearsal.id))) or 0


def test_the_worker_reads_what_was_asked_for_and_the_page_finds_it(
    workspace: Workspace, study: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "WRITE_SECONDS", 0.0)
    run_id = start_rehearsal(workspace, study, READERS, ASSUMED, seed=4, actor="test")
    assert run_view(workspace, run_id).state == "queued" and rehearsals(workspace, study) == []
    with pytest.raises(StudyRefused, match="under way"):
        start_rehearsal(workspace, study, READERS, ASSUMED, actor="test")
    work_off(workspace)
    run = latest_rehearsal(workspace, study)
    assert run is not None and run.id == run_id and run.state == "done", run and run.message
    (found,) = rehearsals(workspace, study)
    assert run.result == {"rehearsal": found.study_id} and (found.seed, found.assumed) == (4, ASSUMED)
    assert [reader.stops_after for reader in found.readers] == [6, None]
    # The same numbers as without the worker.
    alone = rehearse(workspace, study, READERS, ASSUMED, seed=4, actor="test")
    assert recovered(workspace, alone).found.tolist() == recovered(workspace, found.study_id).found.tolist()
    assert not progress.somebody_reads(workspace), "programs are nobody who waits for the processor"


def test_what_cannot_work_is_refused_at_once(workspace: Workspace, study: int) -> None:
    with pytest.raises(StudyRefused, match="choose 1 to 20"):
        start_rehearsal(workspace, study, (), ASSUMED, actor="test")
    with pytest.raises(StudyRefused, match="no study 99"):
        start_rehearsal(workspace, 99, READERS, ASSUMED, actor="test")
    with pytest.raises(NotAllowed):
        with workspace.session() as session:
            session.get_one(Study, study).state = "locked"
        start_rehearsal(workspace, study, READERS, ASSUMED, actor=f"account {add_reader(workspace, study)}")
    with workspace.session() as session:
        row = session.get_one(Study, study)
        row.protocol = {**row.protocol, "findings": []}
    with pytest.raises(StudyRefused, match="List the findings first"):
        start_rehearsal(workspace, study, READERS, ASSUMED, actor="test")
    with workspace.session() as session:
        assert session.scalar(sa.select(Run.id).where(Run.kind == KIND)) is None


def test_cancelled_it_leaves_nothing_and_starts_again(
    workspace: Workspace, study: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "WRITE_SECONDS", 0.0)
    run_id = start_rehearsal(workspace, study, READERS, ASSUMED, actor="test")
    kept, seen = rehearsal_readers.reading.save_reading, []

    def save(*arguments: object, **named: object) -> object:
        seen.append(arguments)
        if len(seen) == 3:
            cancel_run(workspace, run_id, "test")
        return kept(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(rehearsal_readers.reading, "save_reading", save)
    work_off(workspace)
    assert run_view(workspace, run_id).state == "cancelled" and len(seen) == 3
    assert copies(workspace) == 0 and rehearsals(workspace, study) == []
    resume_run(workspace, run_id, "test")
    work_off(workspace)
    assert run_view(workspace, run_id).state == "done" and len(rehearsals(workspace, study)) == 1


def test_a_server_that_stops_puts_it_back_and_a_killed_one_leaves_no_half(workspace: Workspace, study: int) -> None:
    run_id = start_rehearsal(workspace, study, READERS, ASSUMED, actor="test")
    stopping = threading.Event()
    stopping.set()
    work_off(workspace, stopping)
    assert run_view(workspace, run_id).state == "queued" and copies(workspace) == 0
    # A kill leaves the copy as it was when it happened: open, half read.
    half = rehearse(workspace, study, READERS[:1], ASSUMED, actor="test")
    with workspace.session() as session:
        session.get_one(Study, half).state = "locked"
    assert rehearsals(workspace, study) == [] and copies(workspace) == 1
    work_off(workspace)
    (done,) = rehearsals(workspace, study)
    assert len(done.readers) == 2 and copies(workspace) == 1
    assert remove_half_read(workspace, study) == 0


def test_pairs_that_are_made_again_end_it_with_a_reason(
    workspace: Workspace, study: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start_rehearsal(workspace, study, READERS, ASSUMED, actor="test")
    kept, seen = rehearsal_readers.reading.case, []

    def case(*arguments: object) -> object:
        seen.append(arguments)
        if len(seen) == 3:
            with workspace.session() as session:
                remove_copies(session, study, "test")
        return kept(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rehearsal_readers.reading, "case", case)
    work_off(workspace)
    view = run_view(workspace, run_id)
    assert view.state == "failed" and "made again" in view.message
    with workspace.session() as session:
        assert session.scalar(sa.select(sa.func.count(StudyReader.id))) == 0
