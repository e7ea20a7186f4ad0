"""The right to work on a workspace: one row, renewed by heartbeat, taken over only when it has gone stale."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.models import Lease, now
from services.workspace import Workspace

NAME = "worker"
HEARTBEAT_SECONDS = 2.0
STALE_SECONDS = 15.0


class LeaseLost(Exception):
    """Somebody else holds the lease: this worker must write nothing more."""


def _stale_before() -> sa.ColumnElement[bool]:
    return Lease.heartbeat < now() - timedelta(seconds=STALE_SECONDS)


def take(workspace: Workspace, holder: str) -> bool:
    """Take the lease if nobody holds it or its holder has gone silent. One compare-and-swap statement decides, so
    of any number of takers exactly one gets True."""
    with workspace.session() as session:
        swapped = session.execute(
            sa.update(Lease).where(Lease.name == NAME, _stale_before()).values(holder=holder, heartbeat=now())
        )
        if swapped.rowcount:  # type: ignore[attr-defined]
            return True
    try:
        with workspace.session() as session:
            if session.get(Lease, NAME) is not None:
                return False
            session.add(Lease(name=NAME, holder=holder, heartbeat=now()))
    except IntegrityError:
        return False
    return True


def is_held(workspace: Workspace) -> bool:
    """Whether a live worker holds the lease."""
    with workspace.session() as session:
        return session.scalar(sa.select(sa.exists().where(Lease.name == NAME, ~_stale_before()))) is True


def hold(session: Session, holder: str) -> None:
    """Renew the lease inside the caller's transaction, so that what the transaction writes is written by the holder.

    Raises LeaseLost when the lease is no longer `holder`'s (a worker that slept through its own takeover).
    """
    mine = sa.and_(Lease.name == NAME, Lease.holder == holder)
    if not session.execute(sa.update(Lease).where(mine).values(heartbeat=now())).rowcount:  # type: ignore[attr-defined]
        raise LeaseLost(f"worker {holder} has lost its lease")


def release(workspace: Workspace, holder: str) -> None:
    """Give the lease back; nothing happens if `holder` does not hold it."""
    with workspace.session() as session:
        session.execute(sa.delete(Lease).where(Lease.name == NAME, Lease.holder == holder))
