"""One event on its own in the hash-chained log."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import IntegrityError

from db.events import record
from services.workspace import Workspace

TRIES = 8


def log_event(workspace: Workspace, actor: str, kind: str, subject: str, **data: Any) -> None:
    """Append an event that goes with no other change, and try again where another writer took the same place."""
    for attempt in range(TRIES):
        try:
            with workspace.session() as session:
                record(session, actor, kind, subject, **data)
            return
        except IntegrityError:
            if attempt == TRIES - 1:
                raise
