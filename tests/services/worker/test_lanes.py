"""Short work is done beside long work, on both databases; what ends one lane ends the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from db.models import Run
from services import foreground, pairs
from services.report import pdf
from services.report.job import latest_report, report_file, start_report
from services.runs import UNDER_WAY, queue_run, run_view
from services.studies import close_study, create_study, lock_study
from services.worker import lanes, lease, loop, queue
from services.worker.progress import RunProgress
from services.workspace import Workspace
from tests.services.test_results import add_readers, read_all
from tests.services.toy_study import finished_run, toy_engine

QUICK = 0.02


class Training:
    """A training that lasts until it is let go; a run of a kind that the test alone knows."""

    def __init__(self) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()

    def __call__(self, workspace: Workspace, run: Run, progress: RunProgress) -> None:
        self.began.set()
        while not self.may_end.wait(0.1):
            progress(0.5, "training")


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Training:
    monkeypatch.setattr(lanes, "IDLE_SECONDS", QUICK)
    found, job_of = Training(), loop.job_of
    monkeypatch.setattr(loop, "job_of", lambda kind: found if kind == "train stylex" else job_of(kind))
    return found


def closed_study(workspace: Workspace) -> int:
    """A study that two people have read to its end."""
    study_id = create_study(workspace, finished_run(workspace), actor="test", n_per_arm=2, title="Toy")
    pairs.make_pairs(workspace, study_id, actor="test")
    lock_study(workspace, study_id, actor="test")
    add_readers(workspace, study_id, 2)
    read_all(workspace, study_id, lambda *_: "appears")
    close_study(workspace, study_id, actor="test")
    return study_id


def queued(workspace: Workspace, kind: str) -> int:
    with workspace.session() as session:
        return queue_run(session, kind, kind, {}, actor="test")


def wait_for(true: Callable[[], object], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s in vain for: {what}"
        time.sleep(0.2)


def test_a_report_is_written_while_a_training_runs(
    place: Workspace, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "open_engine", toy_engine)
    monkeypatch.setattr(pdf, "_by_weasyprint", lambda html: b"%PDF-" + html.encode()[:20])
    study_id = closed_study(place)
    trained, waits = queued(place, "train stylex"), queued(place, "train stylex")
    stopping = threading.Event()
    worker = threading.Thread(target=loop.work, args=(place, "test", stopping))
    worker.start()
    try:
        assert training.began.wait(60)
        asked = start_report(place, study_id, actor="test")
        wait_for(lambda: run_view(place, asked).state not in UNDER_WAY, "the report")
        report = latest_report(place, study_id)
        assert report is not None and report.state == "done", report and report.run.message
        assert report_file(place, report, "report.html")
        assert [run_view(place, i).state for i in (trained, waits)] == ["running", "queued"], "one long run at a time"
        training.may_end.set()
        wait_for(lambda: run_view(place, waits).state == "done", "the second training")
    finally:
        training.may_end.set()
        stopping.set()
        worker.join()
    assert not lease.is_held(place)


def test_each_lane_takes_its_own_kinds_in_order(workspace: Workspace) -> None:
    kinds = ("explain", "report", "train classifier", "import", "measure", "rehearse")
    ids = {kind: queued(workspace, kind) for kind in kinds}
    assert lease.take(workspace, "w")

    def taken(lane: queue.Lane | None) -> list[int]:
        found = []
        while run := queue.next_run(workspace, "w", lane):
            found.append(run.id)
        return found

    assert taken("short") == [ids[kind] for kind in ("report", "import", "rehearse")]
    assert taken("long") == [ids[kind] for kind in ("explain", "train classifier", "measure")]
    assert taken(None) == []
    assert {kind: queue.lane_of(kind) for kind in kinds[:2]} == {"explain": "long", "report": "short"}


def test_a_stopping_server_puts_the_runs_of_both_lanes_back(
    workspace: Workspace, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "job_of", lambda kind: training)
    ids = [queued(workspace, "train stylex"), queued(workspace, "report")]
    stopping = threading.Event()
    worker = threading.Thread(target=loop.work, args=(workspace, "test", stopping))
    worker.start()
    wait_for(lambda: all(run_view(workspace, i).state == "running" for i in ids), "both lanes")
    stopping.set()
    worker.join()
    assert [(run_view(workspace, i).state, run_view(workspace, i).attempts) for i in ids] == [("queued", 0)] * 2


@pytest.mark.parametrize("broken", ["long", "short"])
def test_a_lane_that_breaks_ends_the_worker_and_not_only_itself(
    workspace: Workspace, training: Training, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    kept = queue.next_run

    def next_run(workspace: Workspace, holder: str, lane: queue.Lane | None = None) -> Run | None:
        if lane == broken and seen:
            raise sa.exc.OperationalError("select", {}, Exception("the database is gone"))
        if (run := kept(workspace, holder, lane)) is not None:
            seen.append(run.id)
        return run

    seen: list[int] = []
    monkeypatch.setattr(loop, "job_of", lambda kind: training)
    monkeypatch.setattr(queue, "next_run", next_run)
    run_id = queued(workspace, "report" if broken == "long" else "train stylex")
    with pytest.raises(sa.exc.OperationalError):
        loop.work(workspace, "test", threading.Event())
    assert seen == [run_id] and run_view(workspace, run_id).state == "queued" and not lease.is_held(workspace)


def test_the_command_line_does_short_work_beside_its_own_long_run(
    workspace: Workspace, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Training()
    monkeypatch.setattr(loop, "job_of", lambda kind: training if kind == "train stylex" else short)
    trained, waits = queued(workspace, "train stylex"), queued(workspace, "import")

    def first_the_short_one() -> None:
        if short.began.wait(60):
            short.may_end.set()
            wait_for(lambda: run_view(workspace, waits).state == "done", "the short run", 60)
        training.may_end.set()

    watch = threading.Thread(target=first_the_short_one)
    watch.start()
    assert foreground.finish_run(workspace, trained).state == "done"
    watch.join()
    assert run_view(workspace, waits).state == "done"


def test_a_short_command_starts_no_training_of_others(workspace: Workspace, training: Training) -> None:
    waits, asked = queued(workspace, "train stylex"), queued(workspace, "report")
    training.may_end.set()
    with pytest.raises(foreground.RunFailed, match="failed"):
        foreground.finish_run(workspace, asked)
    assert run_view(workspace, waits).state == "queued"
