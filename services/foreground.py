"""Doing a queued run right here (command line, demo), or watching the server's worker do it."""

from __future__ import annotations

import os
import secrets
import threading
import time

from cfcore.engines.base import Progress, silent
from services.runs import RunView, run_view
from services.worker import lease, queue
from services.worker.lanes import work_both_lanes, work_lane
from services.worker.loop import do
from services.workspace import Workspace

POLL_SECONDS = 0.5
ENDED = ("done", "failed", "cancelled")


class RunFailed(RuntimeError):
    """The run ended without a result; the message is the run's own."""


def finish_run(workspace: Workspace, run_id: int, progress: Progress = silent) -> RunView:
    """See a queued run through to its end.

    Where a server's worker holds the lease, it does the work and this call watches. Otherwise this process takes the
    lease, with a heartbeat, and works through the run's lane of the queue until the run has ended; beside a long run
    it does short work, too.

    Raises:
        RunFailed: the run failed or was cancelled.
    """
    holder = f"foreground-{os.getpid()}-{secrets.token_hex(4)}"
    while (view := run_view(workspace, run_id)).state not in ENDED:
        if lease.take(workspace, holder):
            _work_until(workspace, run_id, holder, progress)
        else:
            progress(view.progress, view.message)
            time.sleep(POLL_SECONDS)
    if view.state != "done":
        raise RunFailed(f"run {run_id} ({view.name}) {view.state}: {view.message}")
    return view


def _work_until(workspace: Workspace, run_id: int, holder: str, progress: Progress) -> None:
    over = threading.Event()
    helpers = [
        threading.Thread(target=_beat, args=(workspace, holder, over), daemon=True),
        threading.Thread(target=_report, args=(workspace, run_id, over, progress), daemon=True),
    ]
    for helper in helpers:
        helper.start()

    def ended() -> bool:
        return run_view(workspace, run_id).state in ENDED

    short = queue.lane_of(run_view(workspace, run_id).kind) == "short"
    try:
        queue.put_back_orphans(workspace, holder)
        if short:
            work_lane(workspace, holder, threading.Event(), do, "short", ended)
        else:
            work_both_lanes(workspace, holder, threading.Event(), do, ended)
    finally:
        over.set()
        for helper in helpers:
            helper.join()
        lease.release(workspace, holder)


def _beat(workspace: Workspace, holder: str, over: threading.Event) -> None:
    while not over.wait(lease.HEARTBEAT_SECONDS):
        with workspace.session() as session:
            lease.hold(session, holder)


def _report(workspace: Workspace, run_id: int, over: threading.Event, progress: Progress) -> None:
    while not over.wait(POLL_SECONDS):
        view = run_view(workspace, run_id)
        progress(view.progress, view.message)
