"""Invitations: links with which readers and researchers set their password, and who may read a study."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.events import record
from db.models import Account, Invitation, LoginSession, Study, StudyReader, now
from services.accounts import AccountError, ensure_account, hashed, new_account, new_session
from services.permissions import parts_of, require
from services.schedule import write_trials
from services.study_design.takeover import has_replacement
from services.workspace import Workspace, sha256

INVITATION_LENGTH = timedelta(days=14)


@dataclass(frozen=True)
class InvitationView:
    """What the form behind an unused invitation link shows."""

    login: str
    display_name: str
    role: str
    has_password: bool


def new_link(session: Session, account_id: int, study_id: int | None) -> str:
    """The path of a fresh link with which an account sets its password; an older open one stops working."""
    session.execute(
        sa.update(Invitation)
        .where(Invitation.account_id == account_id, Invitation.used_at.is_(None), Invitation.revoked_at.is_(None))
        .values(revoked_at=now())
    )
    token = secrets.token_urlsafe(32)
    session.add(
        Invitation(
            token_hash=sha256(token.encode()),
            account_id=account_id,
            study_id=study_id,
            expires_at=now() + INVITATION_LENGTH,
        )
    )
    return f"/invite/{token}"


def invite_reader(workspace: Workspace, study_id: int, login: str, display_name: str, actor: str) -> str:
    """Invite a reader to a locked study: makes account and schedule, and returns the path of a link for the reader.

    The order of cases and the sides are drawn and stored now (`cfcore.study.schedule`); inviting the same reader
    again only makes a new link. Who has a password already gets the path of the reading list, not a link that
    would let its bearer into the account. Raises AccountError for a study that is not locked.
    """
    with workspace.session() as session:
        require(session, actor, study_id, "readers")
        study = session.get(Study, study_id)
        if study is None:
            raise AccountError(f"There is no study {study_id}: choose one from the list.")
        if study.state != "locked":
            raise AccountError(f"The study is {study.state}: readers can be invited while it is locked.")
        account = new_account(session, login, display_name, "reader", actor)
        if account.role == "colleague" or parts_of(session, account.id, study_id):
            raise AccountError(f"“{account.login}” has another part in a study and cannot read: choose another login.")
        reader = session.scalar(
            sa.select(StudyReader).where(StudyReader.study_id == study_id, StudyReader.account_id == account.id)
        )
        if reader is None:
            try:
                reader = write_trials(session, study, account.id)
            except ValueError as error:
                raise AccountError(str(error)) from error
        if reader.replaces is None and has_replacement(session, reader):
            raise AccountError(
                f"Another reader has taken over what {reader.label} had left: invite somebody else, or the replacement."
            )
        reader.revoked_at = None
        record(session, actor, "reader invited", f"study {study_id}", reader=reader.label)
        return "/read" if account.password_hash else new_link(session, account.id, study_id)


def new_password_link(workspace: Workspace, account_id: int, actor: str) -> str:
    """The path of a link with which a reader who has forgotten the password sets a new one.

    Only for readers: a researcher's password is set on the command line. Raises AccountError for anyone else.
    """
    with workspace.session() as session:
        account = session.get(Account, account_id)
        if account is None or account.role != "reader":
            raise AccountError("Links for a new password are made for readers only.")
        record(session, actor, "password link made", f"account {account_id}")
        return new_link(session, account_id, None)


def revoke_reader(workspace: Workspace, study_reader_id: int, actor: str) -> None:
    """Take the study off a reader's list; the readings stay. An open link of the reader's stays, too: it leads to a
    list without this study (`services.study_links.revoke_link` takes it back)."""
    with workspace.session() as session:
        reader = session.get(StudyReader, study_reader_id)
        if reader is None:
            raise AccountError("There is no such reader: choose one from the list.")
        require(session, actor, reader.study_id, "readers")
        reader.revoked_at = now()
        record(session, actor, "reader revoked", f"study {reader.study_id}", reader=reader.label)


def _why_dead(invitation: Invitation | None) -> AccountError | None:
    """Why a link no longer works, None where it does. An unknown one is said to be incomplete: mail cuts links."""
    if invitation is None:
        message = "This link is not complete, or was never made here. Copy it whole from the message that it came in."
        return AccountError(message, "link_unknown")
    if not invitation.account.active:
        return AccountError("The account behind this link is closed. Ask who invited you.", "account_closed")
    if invitation.used_at is not None:
        message = "This link has been used: it works once. Sign in with your login and password, or ask for a new link."
        return AccountError(message, "link_used")
    if invitation.revoked_at is not None:
        message = (
            "This link has been replaced or withdrawn. Use the newest one that you were sent, or ask for a new link."
        )
        return AccountError(message, "link_replaced")
    if (end := invitation.expires_at) <= now():
        message = f"This link has expired on {end:%-d %B %Y}. Ask for a new one, or to have it extended."
        return AccountError(message, "link_expired", day=end.date())
    return None


def _of_token(session: Session, token: str) -> Invitation | None:
    return session.scalar(sa.select(Invitation).where(Invitation.token_hash == sha256(token.encode())))


def why_dead(workspace: Workspace, token: str) -> AccountError | None:
    """What to tell somebody whose link does not work, None for a link that does. Changes nothing."""
    with workspace.session() as session:
        return _why_dead(_of_token(session, token))


def invitation(workspace: Workspace, token: str) -> InvitationView | None:
    """What stands behind a link, or None where it is unknown, used or expired. Changes nothing."""
    with workspace.session() as session:
        found = _of_token(session, token)
        if found is None or _why_dead(found):
            return None
        account = found.account
        return InvitationView(account.login, account.display_name, account.role, account.password_hash is not None)


def accept_invitation(workspace: Workspace, token: str, password: str) -> str:
    """Set the password, use the link up and sign in; returns the token for the session cookie.

    Every other open link and session of the account ends. Raises AccountError for a dead link or a short password.
    """
    stored = hashed(password)
    with workspace.session() as session:
        found = _of_token(session, token)
        if problem := _why_dead(found):
            raise problem
        assert found is not None
        # The update decides: of two clicks on one link only one finds it unused.
        used = session.execute(
            sa.update(Invitation)
            .where(Invitation.id == found.id, Invitation.used_at.is_(None), Invitation.revoked_at.is_(None))
            .values(used_at=now())
        )
        if used.rowcount != 1:  # type: ignore[attr-defined]
            message = "This link has been used in this moment: it works once. Sign in, or ask for a new link."
            raise AccountError(message, "link_just_used")
        account = found.account
        account.password_hash = stored
        for table, ended in ((Invitation, "used_at"), (LoginSession, "revoked_at")):
            column = getattr(table, ended)
            session.execute(
                sa.update(table).where(table.account_id == account.id, column.is_(None)).values({ended: now()})
            )
        record(session, f"account {account.id}", "invitation taken up", f"account {account.id}")
        return new_session(session, account)


def first_link(workspace: Workspace) -> str | None:
    """The path of a fresh one-time link for the first researcher, or None once a researcher has a password."""
    with workspace.session() as session:
        ready = session.scalar(
            sa.select(Account.id).where(
                Account.role == "researcher", Account.active, Account.password_hash.is_not(None)
            )
        )
    if ready is not None:
        return None
    account_id = ensure_account(workspace, "researcher", "Researcher", "researcher", may_run_code=True)
    with workspace.session() as session:
        return new_link(session, account_id, None)
