"""The queue of runs as the worker sees it: what to do next, and how a run ended."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.events import record
from db.models import Run, now
from services.run_kinds import RUN_KINDS
from services.worker import lease
from services.workspace import Workspace

Lane = Literal["long", "short"]

SHORT = tuple(kind for kind, entry in RUN_KINDS.items() if entry.short)
MOST_ATTEMPTS = 3
ACTOR = "worker"
GAVE_UP = (
    "The work was cut off {n} times before it could finish, so it is not tried again. The usual cause is too little "
    "memory: choose fewer or smaller images, or free memory, then press Resume."
)


def put_back_orphans(workspace: Workspace, holder: str) -> list[int]:
    """Queue again what an earlier worker left "running". Only the holder of the lease may say that it is dead.

    A run that was cut off three times fails with a message; one whose cancelling was asked for is cancelled. Returns
    the ids of those queued again.
    """
    queued = []
    with workspace.session() as session:
        lease.hold(session, holder)
        for run in session.scalars(sa.select(Run).where(Run.state == "running").order_by(Run.id)):
            if run.cancel_requested:
                _end(session, run, "cancelled", "Cancelled.")
            elif run.attempts >= MOST_ATTEMPTS:
                _end(session, run, "failed", GAVE_UP.format(n=run.attempts))
            else:
                run.state, run.message = "queued", "Was cut off; goes on where it stopped."
                queued.append(run.id)
    return queued


def lane_of(kind: str) -> Lane:
    """The lane of a kind of run."""
    return "short" if kind in SHORT else "long"


def next_run(workspace: Workspace, holder: str, lane: Lane | None = None) -> Run | None:
    """Take the oldest queued run (of a lane) and mark it running, or None."""
    query = sa.select(Run).where(Run.state == "queued").order_by(Run.id).limit(1)
    if lane is not None:
        query = query.where(Run.kind.in_(SHORT) if lane == "short" else Run.kind.not_in(SHORT))
    with workspace.session() as session:
        oldest = session.scalar(query)
        if oldest is None:
            return None
        lease.hold(session, holder)
        taken = session.execute(
            sa.update(Run)
            .where(Run.id == oldest.id, Run.state == "queued")
            .values(
                state="running",
                attempts=Run.attempts + 1,
                started_at=oldest.started_at or now(),
                finished_at=None,
                message="Starting.",
            )
        )
        if not taken.rowcount:  # type: ignore[attr-defined]
            return None
        record(session, ACTOR, "run started", f"run {oldest.id}", attempt=oldest.attempts + 1)
        session.refresh(oldest)
        return oldest


def put_back(workspace: Workspace, run_id: int, holder: str) -> None:
    """The server leaves in good order: queue the run again; that is no failed attempt."""
    with workspace.session() as session:
        lease.hold(session, holder)
        run = session.get_one(Run, run_id)
        run.state, run.message = "queued", "Waits for the server to start again."
        run.attempts = max(0, run.attempts - 1)


def end_run(workspace: Workspace, run_id: int, holder: str, state: str, message: str) -> None:
    """Store how a run ended: "done", "failed" or "cancelled", with a message for people."""
    with workspace.session() as session:
        lease.hold(session, holder)
        _end(session, session.get_one(Run, run_id), state, message)


def _end(session: Session, run: Run, state: str, message: str) -> None:
    run.state, run.message, run.finished_at, run.cancel_requested = state, message, now(), False
    if state == "done":
        run.progress = 1.0
    record(session, ACTOR, f"run {state}", f"run {run.id}")
