"""A reader's invitation link: how it stands, a longer life for it, a new one in its place, its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.events import record
from db.models import Account, Invitation, StudyReader, now
from services.accounts import AccountError
from services.invitations import new_link
from services.permissions import require
from services.workspace import Workspace

LinkState = Literal["none", "open", "expired", "used", "withdrawn"]
LONGEST_DAYS = 365


@dataclass(frozen=True)
class LinkView:
    """The newest link of an account. `until`: end of an open or expired one, time of use of a used one."""

    state: LinkState
    until: datetime | None


def link_states(session: Session, account_ids: list[int]) -> dict[int, LinkView]:
    """How the newest link of each account stands; "none" for an account that never had one."""
    newest = (
        sa.select(sa.func.max(Invitation.id))
        .where(Invitation.account_id.in_(account_ids))
        .group_by(Invitation.account_id)
    )
    rows = session.scalars(sa.select(Invitation).where(Invitation.id.in_(newest)))
    found = {row.account_id: _state(row) for row in rows}
    return {account: found.get(account, LinkView("none", None)) for account in account_ids}


def _state(link: Invitation) -> LinkView:
    if link.used_at is not None:
        return LinkView("used", link.used_at)
    if link.revoked_at is not None:
        return LinkView("withdrawn", link.revoked_at)
    return LinkView("expired" if link.expires_at <= now() else "open", link.expires_at)


def extend_link(workspace: Workspace, study_reader_id: int, days: int, actor: str) -> datetime:
    """Let the reader's unused link, expired or not, work until `days` days from now; returns that moment.

    The link itself stays the same, so nothing has to be sent again. Raises AccountError where there is no unused link
    or `days` is not within 1 to 365.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise AccountError(f"A link can be extended by 1 to {LONGEST_DAYS} days, not {days}.")
    with workspace.session() as session:
        reader = _reader(session, study_reader_id, actor)
        link = session.scalar(
            sa.select(Invitation)
            .where(
                Invitation.account_id == reader.account_id,
                Invitation.used_at.is_(None),
                Invitation.revoked_at.is_(None),
            )
            .order_by(Invitation.id.desc())
            .limit(1)
        )
        if link is None:
            raise AccountError(f"{reader.label} has no unused link to extend: make a new one.")
        link.expires_at = now() + timedelta(days=days)
        record(session, actor, "link extended", f"study {reader.study_id}", reader=reader.label, days=days)
        return link.expires_at


def reissue_link(workspace: Workspace, study_reader_id: int, actor: str) -> str:
    """A new link for the reader, its path; the old one stops working.

    Who has set a password needs no link: the path of the reading list comes back. For a forgotten password there is
    `services.accounts.new_password_link`. Raises AccountError for a reader whose invitation was withdrawn.
    """
    with workspace.session() as session:
        reader = _reader(session, study_reader_id, actor)
        if reader.revoked_at is not None:
            raise AccountError(f"The invitation of {reader.label} is withdrawn: take it up again first.")
        record(session, actor, "link made anew", f"study {reader.study_id}", reader=reader.label)
        account = session.get_one(Account, reader.account_id)
        return "/read" if account.password_hash else new_link(session, account.id, reader.study_id)


def revoke_link(workspace: Workspace, study_reader_id: int, actor: str) -> None:
    """End every unused link of the reader; what he or she has read, and may go on reading when signed in, stays."""
    with workspace.session() as session:
        reader = _reader(session, study_reader_id, actor)
        session.execute(
            sa.update(Invitation)
            .where(
                Invitation.account_id == reader.account_id,
                Invitation.used_at.is_(None),
                Invitation.revoked_at.is_(None),
            )
            .values(revoked_at=now())
        )
        record(session, actor, "link withdrawn", f"study {reader.study_id}", reader=reader.label)


def restore_reader(workspace: Workspace, study_reader_id: int, actor: str) -> None:
    """Take up a withdrawn invitation again: the study is back on the reader's list, with everything read so far."""
    with workspace.session() as session:
        reader = _reader(session, study_reader_id, actor)
        reader.revoked_at = None
        record(session, actor, "reader restored", f"study {reader.study_id}", reader=reader.label)


def _reader(session: Session, study_reader_id: int, actor: str) -> StudyReader:
    reader = session.get(StudyReader, study_reader_id)
    if reader is None:
        raise AccountError("There is no such reader: choose one from the list.")
    require(session, actor, reader.study_id, "readers")
    if reader.simulated:
        raise AccountError(f"{reader.label} is simulated and has no link.")
    return reader
