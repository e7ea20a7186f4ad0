"""Two lanes of one worker: a report, a rehearsal or an import does not wait for hours behind a training."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from db.models import Run
from services.worker import queue
from services.workspace import Workspace

IDLE_SECONDS = 0.5
Do = Callable[[Workspace, Run, str, threading.Event], None]


def never() -> bool:
    """Nothing ends the work but `stopping`."""
    return False


def work_both_lanes(
    workspace: Workspace, holder: str, stopping: threading.Event, do: Do, ended: Callable[[], bool] = never
) -> None:
    """Work on the queue until `stopping` is set or `ended` says so: long work in this thread, short work beside it.

    `do` does one run and stores how it ended. What ends one lane ends the other: its run goes back into the queue,
    and the error is raised here.
    """

    def beside() -> None:
        try:
            work_lane(workspace, holder, stopping, do, "short")
        finally:
            stopping.set()

    with ThreadPoolExecutor(1, "short lane") as pool:
        short = pool.submit(beside)
        try:
            work_lane(workspace, holder, stopping, do, "long", ended)
        finally:
            stopping.set()
    short.result()


def work_lane(
    workspace: Workspace,
    holder: str,
    stopping: threading.Event,
    do: Do,
    lane: queue.Lane,
    ended: Callable[[], bool] = never,
) -> None:
    """Do the runs of one lane, the oldest first, until `stopping` is set or `ended` says so."""
    while not stopping.is_set() and not ended():
        run = queue.next_run(workspace, holder, lane)
        if run is None:
            stopping.wait(IDLE_SECONDS)
        else:
            do(workspace, run, holder, stopping)
