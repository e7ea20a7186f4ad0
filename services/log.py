"""One event on its own in the hash-chained log, and who its actor is."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import IntegrityError

from db.events import record
from db.models import Account
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


def actor_name(workspace: Workspace, actor: str) -> str:
    """The name of the person whom the log calls "account 6"; any other actor as it is."""
    number = actor.removeprefix("account ")
    if number == actor or not number.isdigit():
        return actor
    with workspace.session() as session:
        account = session.get(Account, int(number))
        return account.display_name if account is not None else actor
