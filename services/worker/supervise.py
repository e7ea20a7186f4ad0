"""The server's side: one child process per workspace, restarted when it dies, gone when the server is gone."""

from __future__ import annotations

import logging
import os
import secrets
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from services.worker import lease
from services.workspace import Workspace

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 10.0
LOOK_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


def new_holder() -> str:
    """A name for a worker that no other worker has."""
    return f"{os.getpid()}-{secrets.token_hex(8)}"


def spawn(workspace: Workspace, holder: str, command: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """Start the worker child (a fresh interpreter, never a fork of the server).

    Its standard input is a pipe whose only other end is ours: when this process ends in any way, kill -9 included,
    the child reads end-of-file and leaves. `command` replaces `python -m services.worker` in tests.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "DATABASE_URL": workspace.database_url,
        "CFREADER_FILES": workspace.files_url,
    }
    return subprocess.Popen(
        [
            *(command or (sys.executable, "-m", "services.worker")),
            *("--workspace", str(workspace.folder), "--holder", holder, "--child"),
        ],
        stdin=subprocess.PIPE,
        env=environment,
        close_fds=True,
    )


@dataclass
class WorkerHandle:
    """A running supervision. `stop()` ends it and the child; ending the process has the same effect."""

    workspace: Workspace
    command: tuple[str, ...] = ()
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> WorkerHandle:
        self._thread = threading.Thread(target=self._supervise, name="worker supervisor", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ask the child to stop (it puts its run back into the queue), wait, then make sure."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS + 5)
        with _handles_lock:
            if _handles.get(self.workspace.folder) is self:
                del _handles[self.workspace.folder]

    @property
    def pid(self) -> int | None:
        """Process number of the child that works now, None while another server's worker holds the workspace."""
        child = self.child
        return child.pid if child is not None and child.poll() is None else None

    def _supervise(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                if lease.is_held(self.workspace):
                    pause = LOOK_SECONDS
                    continue
                lived = self._run_child()
            except Exception:
                log.exception("the worker could not be started; trying again")
                lived = 0.0
            pause = (
                LOOK_SECONDS
                if lived > LONGEST_PAUSE_SECONDS
                else min(max(2 * pause, LOOK_SECONDS), LONGEST_PAUSE_SECONDS)
            )

    def _run_child(self) -> float:
        """One life of the child, in looks of the supervisor; returns about how many seconds it lived."""
        holder = new_holder()
        self.child = child = spawn(self.workspace, holder, self.command)
        lived = 0.0
        try:
            while not self._stopping.is_set():
                try:
                    child.wait(LOOK_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    lived += LOOK_SECONDS
        finally:
            self._end(child)
            # A child that was killed left its lease behind; only we know that it is dead already.
            lease.release(self.workspace, holder)
        return lived

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdin is not None:
            child.stdin.close()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


_handles: dict[Path, WorkerHandle] = {}
_handles_lock = threading.Lock()


def start_worker(workspace: Workspace, command: tuple[str, ...] = ()) -> WorkerHandle:
    """Start the worker of `workspace` for as long as this process lives; a second call returns the same handle.

    A second server on the same workspace starts no second worker: it watches the lease and steps in when the first
    one is gone.
    """
    with _handles_lock:
        handle = _handles.get(workspace.folder)
        if handle is None:
            handle = _handles[workspace.folder] = WorkerHandle(workspace, command).start()
        return handle
