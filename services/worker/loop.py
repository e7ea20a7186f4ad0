"""The child process: hold the lease, take runs in order (lanes.py), and leave when the server does."""

from __future__ import annotations

import logging
import logging.handlers
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from cfcore.engines.base import Cancelled
from db.models import Run
from services.run_kinds import RUN_KINDS
from services.worker import lease, queue
from services.worker.lanes import work_both_lanes
from services.worker.progress import RunProgress, Stopped
from services.workspace import Workspace

log = logging.getLogger("cfreader.worker")

LEASE_TAKEN = 3
Job = Callable[[Workspace, Run, RunProgress], Any]
# Two lanes must not load modules that need each other from two ends at once.
_loading = threading.Lock()


def job_of(kind: str) -> Job:
    """The function that does runs of `kind`. Raises ValueError for an unknown kind."""
    if kind not in RUN_KINDS:
        raise ValueError(f"no worker knows how to do a run of kind {kind!r}")
    return RUN_KINDS[kind].function()


def work(workspace: Workspace, holder: str, stopping: threading.Event) -> int:
    """Work on the queue until `stopping` is set; the exit status of the process. `holder`: this worker's name."""
    log_to_file(workspace)
    if not lease.take(workspace, holder):
        return LEASE_TAKEN
    threading.Thread(target=_beat, args=(workspace, holder, stopping), daemon=True).start()
    try:
        queue.put_back_orphans(workspace, holder)
        work_both_lanes(workspace, holder, stopping, do)
    except lease.LeaseLost:
        log.warning("the lease is lost: another worker has taken over")
        return LEASE_TAKEN
    finally:
        lease.release(workspace, holder)
    return 0


def do(workspace: Workspace, run: Run, holder: str, stopping: threading.Event) -> None:
    """Do one run and store how it ended. Raises LeaseLost only."""
    progress = RunProgress(workspace, run.id, holder, stopping)
    try:
        with _loading:
            job = job_of(run.kind)
        job(workspace, run, progress)
    except Stopped:
        queue.put_back(workspace, run.id, holder)
    except Cancelled:
        kept = "Nothing of it is kept." if queue.lane_of(run.kind) == "short" else "Resume goes on where it stopped."
        queue.end_run(workspace, run.id, holder, "cancelled", f"Cancelled. {kept}")
    except lease.LeaseLost:
        raise
    except Exception as error:
        log.exception("run %d failed", run.id)
        queue.end_run(workspace, run.id, holder, "failed", explain_failure(run.id, error))
    else:
        queue.end_run(workspace, run.id, holder, "done", "Done.")


def explain_failure(run_id: int, error: Exception) -> str:
    """What people read when a run failed: our own errors speak for themselves, others point to the log."""
    text = str(error).strip()
    if isinstance(error, ValueError | FileNotFoundError | TypeError) and text:
        return text[0].upper() + text[1:]
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text.lower():
        return "Not enough memory: choose fewer or smaller images, or free memory, then press Resume."
    return f"{type(error).__name__} in run {run_id}. The details are in logs/worker.log of the workspace."


def log_to_file(workspace: Workspace) -> None:
    """Send this process's log to logs/worker.log of the workspace (at most four files of 1 MB)."""
    folder = workspace.folder / "logs"
    folder.mkdir(exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(folder / "worker.log", maxBytes=1_000_000, backupCount=3)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)


def _beat(workspace: Workspace, holder: str, stopping: threading.Event) -> None:
    renewed = time.monotonic()
    while not stopping.wait(lease.HEARTBEAT_SECONDS):
        try:
            with workspace.session() as session:
                lease.hold(session, holder)
            renewed = time.monotonic()
        except lease.LeaseLost:
            os._exit(LEASE_TAKEN)
        except Exception:
            log.exception("the heartbeat could not be written")
            if time.monotonic() - renewed > lease.STALE_SECONDS:
                os._exit(1)
