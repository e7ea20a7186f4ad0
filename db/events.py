"""Writing and checking the hash-chained event log."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .models import Event, now

GENESIS = "0" * 64


def _digest(event: Event) -> str:
    body = [event.at.isoformat(), event.actor, event.kind, event.subject, event.data, event.previous_hash]
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def record(session: Session, actor: str, kind: str, subject: str, **data: Any) -> Event:
    """Append one event in the session's own transaction. `data` must be JSON and hold no patient data.

    Writers queue up: the table is locked before its last row is looked at, until the caller's transaction ends.
    `previous_hash` is unique all the same, so a fork of the chain cannot be stored.
    """
    session.flush()
    _lock(session)
    last = session.scalar(sa.select(Event.hash).order_by(Event.id.desc()).limit(1))
    event = Event(at=now(), actor=actor, kind=kind, subject=subject, data=data, previous_hash=last or GENESIS)
    event.hash = _digest(event)
    session.add(event)
    session.flush()
    return event


def _lock(session: Session) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.text("LOCK TABLE event IN SHARE ROW EXCLUSIVE MODE"))
    else:
        # On SQLite a write takes the one write lock, also where it changes no row.
        session.execute(sa.update(Event).where(Event.id < 0).values(actor=""))


def first_broken(session: Session) -> int | None:
    """The id of the first event that does not follow from the one before it, or None if the chain holds."""
    previous = GENESIS
    for event in session.scalars(sa.select(Event).order_by(Event.id)):
        if event.previous_hash != previous or event.hash != _digest(event):
            return event.id
        previous = event.hash
    return None
