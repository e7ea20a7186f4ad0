"""What a job reports while it runs, and how it learns that it must stop."""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta

import sqlalchemy as sa

from cfcore.engines.base import Cancelled
from db.models import Reading, Run, StudyReader, Trial, now
from services.worker import lease
from services.workspace import Workspace

WRITE_SECONDS = 0.5
LOOK_FOR_READERS_SECONDS = 5.0
READING_MINUTES = 5


class Stopped(Cancelled):
    """The server is going away: the run goes back into the queue and is resumed later."""


class RunProgress:
    """Called by a job with the share done and a message: stores both at most every half second, raises Cancelled when
    somebody cancelled the run, Stopped when the server leaves, and LeaseLost when another worker has taken over."""

    def __init__(self, workspace: Workspace, run_id: int, holder: str, stopping: threading.Event) -> None:
        self.workspace, self.run_id, self.holder, self.stopping = workspace, run_id, holder, stopping
        self._written = -WRITE_SECONDS
        self._looked = -LOOK_FOR_READERS_SECONDS

    def __call__(self, share: float, message: str) -> None:
        if self.stopping.is_set():
            raise Stopped("the server stopped")
        clock = time.monotonic()
        if clock - self._written < WRITE_SECONDS:
            return
        self._written = clock
        with self.workspace.session() as session:
            lease.hold(session, self.holder)
            values = {"progress": min(max(share, 0.0), 1.0), "message": message}
            session.execute(sa.update(Run).where(Run.id == self.run_id).values(**values))
            cancelled = session.scalar(sa.select(Run.cancel_requested).where(Run.id == self.run_id))
        if cancelled:
            raise Cancelled("cancelled")
        if clock - self._looked >= LOOK_FOR_READERS_SECONDS:
            self._looked = clock
            yield_cores(self.workspace)

    def part(self, start: float, end: float) -> PartProgress:
        """A progress whose 0 to 1 is this one's `start` to `end`."""
        return PartProgress(self, start, end)


class PartProgress:
    """A phase of a longer job."""

    def __init__(self, whole: RunProgress, start: float, end: float) -> None:
        self.whole, self.start, self.end = whole, start, end

    def __call__(self, share: float, message: str) -> None:
        self.whole(self.start + min(max(share, 0.0), 1.0) * (self.end - self.start), message)


def somebody_reads(workspace: Workspace) -> bool:
    """Whether a person saved an answer in the last five minutes (the reading room saves every press of a key)."""
    since = now() - timedelta(minutes=READING_MINUTES)
    recent = (
        sa.select(Reading.id)
        .join(Trial, Trial.id == Reading.trial_id)
        .join(StudyReader, StudyReader.id == Trial.study_reader_id)
        .where(Reading.saved_at > since, ~StudyReader.simulated)
    )
    with workspace.session() as session:
        return bool(session.scalar(sa.select(recent.exists())))


def yield_cores(workspace: Workspace) -> int:
    """Give torch one thread while somebody reads, else every core (or $OMP_NUM_THREADS of them); returns the number."""
    import torch

    cores = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    threads = 1 if somebody_reads(workspace) else cores
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return threads
