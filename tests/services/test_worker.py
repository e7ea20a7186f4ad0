"""The worker process: gone with its parent, never twice, and a kill costs no image."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa
from torch import Tensor

from cfcore.engines.base import Cancelled
from db.models import (
    Account,
    Counterfactual,
    Direction,
    Event,
    Image,
    Lease,
    Pair,
    Reading,
    Run,
    Study,
    StudyReader,
    Trial,
    now,
)
from services.runs import cancel_run, resume_run, run_view, start_run
from services.worker import lease, queue, start_worker
from services.worker.loop import LEASE_TAKEN, do, work
from services.worker.progress import RunProgress, Stopped, somebody_reads, yield_cores
from services.workspace import Workspace
from tests.services import shift_engine

COMMAND = (sys.executable, "-m", "tests.services.shift_worker")


def wait_for(true: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s in vain for: {what}"
        time.sleep(0.05)


def queue_shift(workspace: Workspace, n: int = 12, **config: float) -> int:
    ids = shift_engine.scene(workspace, n)
    return start_run(
        workspace, "explain", "brighter", shift_engine.settings(n, **config), 0, ids["dataset"], ids["classifier"]
    )


@pytest.fixture(autouse=True)
def known_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.known(monkeypatch)


@contextmanager
def server(workspace: Workspace) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.services.shift_server", str(workspace.folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def worker_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if int(line):
            return int(line)
    raise AssertionError("the server ended without a worker")


def image_ids(workspace: Workspace, run_id: int) -> list[int]:
    with workspace.session() as session:
        query = sa.select(Counterfactual.image_id).where(Counterfactual.run_id == run_id)
        return list(session.scalars(query))


def test_a_killed_worker_is_replaced_and_each_image_is_explained_once(workspace: Workspace) -> None:
    run_id = queue_shift(workspace, 40, pause=0.5)
    handle = start_worker(workspace, COMMAND)
    try:
        assert start_worker(workspace, COMMAND) is handle
        killed = []
        for least in (8, 16):
            wait_for(lambda least=least: len(image_ids(workspace, run_id)) >= least, 60, f"{least} images")
            pid = handle.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            wait_for(lambda pid=pid: handle.pid not in (None, pid), 20, "a new worker")
        wait_for(lambda: run_view(workspace, run_id).state == "done", 60, "the end of the run")
        view = run_view(workspace, run_id)
        ids = image_ids(workspace, run_id)
        assert len(ids) == len(set(ids)) == 40
        assert view.attempts == 3
        assert view.result["n"] == 40 and view.result["explained"] == 1.0
        assert [direction.name for direction in view.directions] == ["up", "down"]
        pid = handle.pid
    finally:
        handle.stop()
    assert pid is not None and not shift_engine.alive(pid)
    assert not lease.is_held(workspace)
    assert not any(shift_engine.alive(pid) for pid in killed)


def test_the_worker_goes_when_its_server_is_killed_and_another_server_takes_over(workspace: Workspace) -> None:
    run_id = queue_shift(workspace, 24, pause=1.0)
    with server(workspace) as first:
        pid = worker_of(first)
        wait_for(lambda: image_ids(workspace, run_id), 60, "the first images")
        with server(workspace) as second:
            time.sleep(3)
            assert second.poll() is None
            with workspace.session() as session:
                assert session.scalar(sa.select(sa.func.count()).select_from(Lease)) == 1
            first.kill()
            wait_for(lambda: not shift_engine.alive(pid), 20, "the worker to leave with its server")
            assert worker_of(second) != pid
            wait_for(lambda: run_view(workspace, run_id).state == "done", 60, "the end of the run")
    ids = image_ids(workspace, run_id)
    assert len(ids) == len(set(ids)) == 24


def test_only_one_of_many_takes_the_lease(workspace: Workspace) -> None:
    won: list[str] = []
    barrier = threading.Barrier(8)

    def attempt(name: str) -> None:
        barrier.wait()
        if lease.take(workspace, name):
            won.append(name)

    for stale in (False, True):
        if stale:
            with workspace.session() as session:
                session.execute(sa.update(Lease).values(heartbeat=now() - timedelta(seconds=60)))
        won.clear()
        threads = [threading.Thread(target=attempt, args=(f"{stale} {i}",)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert not lease.take(workspace, "late")
    with pytest.raises(lease.LeaseLost), workspace.session() as session:
        lease.hold(session, "late")
    assert work(workspace, "late", threading.Event()) == LEASE_TAKEN


def test_a_worker_that_lost_its_lease_writes_nothing(workspace: Workspace) -> None:
    run_id = queue_shift(workspace)
    assert lease.take(workspace, "one")
    run = queue.next_run(workspace, "one")
    assert run is not None and run.id == run_id
    with workspace.session() as session:
        session.execute(sa.update(Lease).values(holder="two"))
    with pytest.raises(lease.LeaseLost):
        do(workspace, run, "one", threading.Event())
    assert image_ids(workspace, run_id) == []
    assert run_view(workspace, run_id).state == "running"
    assert queue.put_back_orphans(workspace, "two") == [run_id]


def test_runs_are_taken_in_order_and_given_up_after_three_attempts(workspace: Workspace) -> None:
    first = queue_shift(workspace)
    with workspace.session() as session:
        row = session.get_one(Run, first)
        session.add(
            Run(
                name="second",
                kind="explain",
                settings=row.settings,
                dataset_id=row.dataset_id,
                classifier_id=row.classifier_id,
            )
        )
    assert lease.take(workspace, "w")
    for attempt in (1, 2, 3):
        run = queue.next_run(workspace, "w")
        assert run is not None and (run.id, run.attempts) == (first, attempt)
        back = queue.put_back_orphans(workspace, "w")
        assert back == ([first] if attempt < 3 else [])
    view = run_view(workspace, first)
    assert view.state == "failed" and "cut off 3 times" in view.message
    run = queue.next_run(workspace, "w")
    assert run is not None and run.name == "second"
    do(workspace, run, "w", threading.Event())
    assert run_view(workspace, run.id).state == "done"
    assert queue.next_run(workspace, "w") is None
    resume_run(workspace, first, "me")
    run = queue.next_run(workspace, "w")
    assert run is not None and (run.id, run.attempts) == (first, 1)


def test_cancel_stops_and_resume_goes_on(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.worker.progress.WRITE_SECONDS", 0.0)
    run_id = queue_shift(workspace, 20)
    assert lease.take(workspace, "w")
    run = queue.next_run(workspace, "w")
    assert run is not None
    explain = shift_engine.Shift.explain

    def cancel_after_first(self: shift_engine.Shift, images: Tensor, *args: object, **kwargs: object) -> object:
        if len(images) == 8:  # a chunk, not the images on which the degree is suggested
            cancel_run(workspace, run_id, "me")
        return explain(self, images, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(shift_engine.Shift, "explain", cancel_after_first)
        do(workspace, run, "w", threading.Event())
    view = run_view(workspace, run_id)
    assert view.state == "cancelled" and len(image_ids(workspace, run_id)) == 8
    resume_run(workspace, run_id, "me")
    run = queue.next_run(workspace, "w")
    assert run is not None
    with monkeypatch.context() as patch:
        patch.setattr(shift_engine.Shift, "fit", lambda *_, **__: pytest.fail("fitted twice"))
        do(workspace, run, "w", threading.Event())
    ids = image_ids(workspace, run_id)
    assert run_view(workspace, run_id).state == "done" and len(ids) == len(set(ids)) == 20
    with workspace.session() as session:
        kinds = list(session.scalars(sa.select(Event.kind).order_by(Event.id)))
        assert session.scalar(sa.select(sa.func.count()).select_from(Direction)) == 2
    assert kinds == [
        "run queued",
        "run started",
        "run cancel asked",
        "run cancelled",
        "run resumed",
        "run started",
        "run done",
    ]


def test_a_stopping_server_puts_the_run_back_without_counting_an_attempt(workspace: Workspace) -> None:
    run_id = queue_shift(workspace)
    assert lease.take(workspace, "w")
    run = queue.next_run(workspace, "w")
    assert run is not None
    stopping = threading.Event()
    stopping.set()
    do(workspace, run, "w", stopping)
    view = run_view(workspace, run_id)
    assert (view.state, view.attempts) == ("queued", 0)
    with pytest.raises(Stopped):
        RunProgress(workspace, run_id, "w", stopping)(0.5, "half")


def test_progress_is_stored_at_most_twice_a_second(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = queue_shift(workspace)
    assert lease.take(workspace, "w")
    clock = [100.0]
    monkeypatch.setattr("services.worker.progress.time.monotonic", lambda: clock[0])
    progress = RunProgress(workspace, run_id, "w", threading.Event())
    seen = []
    for share, step in ((0.1, 0.0), (0.2, 0.3), (0.3, 0.3), (7.0, 0.6)):
        clock[0] += step
        progress.part(0.5, 1.0)(share, f"at {share}")
        seen.append(run_view(workspace, run_id).progress)
    assert seen == pytest.approx([0.55, 0.55, 0.65, 1.0])
    cancel_run(workspace, run_id, "me")
    assert run_view(workspace, run_id).state == "cancelled"
    with workspace.session() as session:
        session.execute(sa.update(Run).values(state="running"))
    cancel_run(workspace, run_id, "me")
    progress(0.9, "too soon to look")
    clock[0] += 1
    with pytest.raises(Cancelled):
        progress(0.9, "looks")


def test_a_failure_tells_people_what_to_do(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = queue_shift(workspace)
    assert lease.take(workspace, "w")

    def end(error: Exception) -> str:
        def fails(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(shift_engine.Shift, "fit", fails)
        run = queue.next_run(workspace, "w")
        assert run is not None
        do(workspace, run, "w", threading.Event())
        view = run_view(workspace, run_id)
        assert view.state == "failed"
        resume_run(workspace, run_id, "me")
        return view.message

    assert end(ValueError("scan = 90, but there are 20")) == "Scan = 90, but there are 20"
    assert end(RuntimeError("shape mismatch at layer 3")).startswith(f"RuntimeError in run {run_id}. The details are")
    assert "Not enough memory" in end(RuntimeError("DefaultCPUAllocator: can't allocate memory"))


def test_cores_are_left_to_readers(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    try:
        assert not somebody_reads(workspace) and yield_cores(workspace) == 2 and torch.get_num_threads() == 2
        assert not somebody_reads(workspace)
        save_reading(workspace)
        assert somebody_reads(workspace) and yield_cores(workspace) == 1 and torch.get_num_threads() == 1
        with workspace.session() as session:
            session.execute(sa.update(Reading).values(saved_at=now() - timedelta(minutes=6)))
        assert not somebody_reads(workspace) and yield_cores(workspace) == 2
    finally:
        torch.set_num_threads(before)


def save_reading(workspace: Workspace) -> None:
    ids = shift_engine.scene(workspace, 1)
    with workspace.session() as session:
        image = session.scalars(sa.select(Image).where(Image.dataset_id == ids["dataset"])).first()
        assert image is not None
        account = Account(login="r", display_name="R", role="reader")
        study = Study(title="t", reader_title="t")
        reader = StudyReader(study=study, account=account, label="R1")
        pair = Pair(
            study=study,
            arm="up",
            image_id=image.id,
            patient=image.patient,
            original_key="a",
            counterfactual_key="b",
            sha256="0",
            width=1,
            height=1,
            max_value=255,
            p_source=0.1,
            p_reconstruction=0.1,
            p_counterfactual=0.9,
            flipped=True,
        )
        trial = Trial(study_reader=reader, pair=pair, position=1, original_side="A", token="t")
        session.add(Reading(trial=trial, sequence=1, answers={}, complete=False, seconds=1.0))
