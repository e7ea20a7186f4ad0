"""Who acts, and on which workspace."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from services import accounts
from services.permissions import Right, may
from services.serving import workspace

__all__ = ["account_id", "account_may", "actor", "ago", "day", "is_researcher", "workspace"]


def actor() -> str:
    """The name under which the event log keeps what is done on this page."""
    account = accounts.current(workspace(), st.context.cookies)
    return f"account {account.id}" if account else "studio"


def account_id() -> int:
    """The id of the account that is signed in, 0 for none."""
    account = accounts.current(workspace(), st.context.cookies)
    return account.id if account else 0


def is_researcher() -> bool:
    """Whether who is signed in may do everything; a page without accounts (a test) may."""
    account = accounts.current(workspace(), st.context.cookies)
    return account is None or account.role == "researcher"


def account_may(study_id: int, right: Right) -> bool:
    """Whether who is signed in has a right in a study; a page without accounts (a test) may show everything."""
    account = accounts.current(workspace(), st.context.cookies)
    return account is None or may(workspace(), account.id, study_id, right)


def day(moment: datetime | None) -> str:
    """ "14 Nov 2026", or "" for None."""
    return f"{moment.day} {moment:%b %Y}" if moment else ""


def ago(moment: datetime | None) -> str:
    """ "5 min ago", or "never" for None."""
    if moment is None:
        return "never"
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {name} ago"
    return "just now"
