"""Signing in and out, invitations, and who a cookie belongs to."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy.orm import Session

from db.events import record
from db.models import Account, Invitation, LoginSession, Study, StudyReader, now
from services.attempts import Attempts
from services.permissions import parts_of, require
from services.schedule import write_trials
from services.study_design.takeover import has_replacement
from services.workspace import Workspace, sha256

COOKIE = "cfreader_session"
SESSION_LENGTH = timedelta(hours=12)
INVITATION_LENGTH = timedelta(days=14)
ROLES = ("researcher", "reader", "colleague")
MINIMUM_PASSWORD = 10
# The accounts that a demo workspace offers without a password.
DEMO_LOGINS = {"researcher": "demo-researcher", "reader": "demo-reader"}

_hasher = PasswordHasher()
# Verified when there is no such login, so that an unknown name takes as long as a wrong password.
_NOBODY = _hasher.hash(secrets.token_hex(16))
_by_login = Attempts(limit=5, window=timedelta(minutes=15))
# Many people may sit behind one address (a hospital's proxy), so an address gets more tries than a login.
_by_address = Attempts(limit=50, window=timedelta(minutes=15))


class AccountError(ValueError):
    """Something the person at the form can put right; the message says how.

    code, values: name the message in the person's own language (account.refused.<code> in routes/texts); "" where only
    researchers meet it.
    """

    def __init__(self, message: str, code: str = "", **values: object) -> None:
        super().__init__(message)
        self.code = code
        self.values = values


class TooManyAttempts(AccountError):
    """Signing in is paused for this login; `seconds` says for how long."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        minutes = max(1, round(seconds / 60))
        super().__init__(f"Too many failed attempts. Try again in {minutes} min.", "pause", minutes=minutes)


@dataclass(frozen=True)
class AccountView:
    """Who is signed in. `session_id` is the server-side session that the cookie stands for."""

    id: int
    login: str
    display_name: str
    role: str
    may_run_code: bool
    session_id: int


@dataclass(frozen=True)
class InvitationView:
    """What the form behind an unused invitation link shows."""

    login: str
    display_name: str
    role: str
    has_password: bool


def _normal(login: str) -> str:
    login = login.strip().casefold()
    if not re.fullmatch(r"[a-z0-9][a-z0-9._@+-]{1,63}", login):
        raise AccountError(
            f"The login “{login}” cannot be used: take 2 to 64 letters, digits or . _ @ + -, e.g. an e-mail address."
        )
    return login


def _checked(password: str) -> str:
    if len(password) < MINIMUM_PASSWORD:
        message = f"The password is too short: use at least {MINIMUM_PASSWORD} characters."
        raise AccountError(message, "short", minimum=MINIMUM_PASSWORD)
    if len(password) > 1000:
        raise AccountError("The password is too long: use at most 1000 characters.", "long")
    return password


def _new_session(session: Session, account: Account) -> str:
    token = secrets.token_urlsafe(32)
    session.add(
        LoginSession(token_hash=sha256(token.encode()), account_id=account.id, expires_at=now() + SESSION_LENGTH)
    )
    return token


def _verifies(stored: str | None, password: str) -> bool:
    try:
        return _hasher.verify(stored or _NOBODY, password) and stored is not None
    except (VerifyMismatchError, InvalidHashError):
        return False


def sign_in(workspace: Workspace, login: str, password: str, address: str = "") -> str:
    """Check login and password and return the token for the session cookie.

    Raises TooManyAttempts after 5 failures within 15 minutes for one login, or 50 from one `address`; else
    AccountError, with one message for an unknown login, a wrong password and a closed account.
    """
    login = login.strip().casefold()
    if (wait := max(_by_login.wait(login), _by_address.wait(address))) > 0:
        raise TooManyAttempts(wait)
    with workspace.session() as session:
        account = session.scalar(sa.select(Account).where(Account.login == login))
        good = _verifies(account.password_hash if account else None, password)
        if account is None or not good or not account.active:
            _by_login.failed(login)
            _by_address.failed(address)
            raise AccountError("This login and password do not match. Check both and try again.", "no_match")
        if account.password_hash and _hasher.check_needs_rehash(account.password_hash):
            account.password_hash = _hasher.hash(password)
        token = _new_session(session, account)
        record(session, f"account {account.id}", "signed in", f"account {account.id}")
    _by_login.succeeded(login)
    return token


def open_demo(workspace: Workspace, role: str) -> str:
    """Sign in to a demo workspace without a password; returns the token for the session cookie.

    Raises AccountError where the workspace is no demo or has no demo account for `role`.
    """
    if not is_demo(workspace) or role not in DEMO_LOGINS:
        raise AccountError("This workspace is no demo: sign in with your login and password.", "no_demo")
    with workspace.session() as session:
        account = session.scalar(sa.select(Account).where(Account.login == DEMO_LOGINS[role]))
        if account is None:
            raise AccountError("The demo is not complete yet: run `cfreader demo` once more.", "demo_incomplete")
        return _new_session(session, account)


def is_demo(workspace: Workspace) -> bool:
    """Whether the workspace is flagged as a demo (a file `demo` in its folder)."""
    return (workspace.folder / "demo").exists()


def sign_out(workspace: Workspace, token: str | None) -> None:
    """End the session of a cookie; an unknown cookie is no error."""
    if not token:
        return
    with workspace.session() as session:
        session.execute(
            sa.update(LoginSession)
            .where(LoginSession.token_hash == sha256(token.encode()), LoginSession.revoked_at.is_(None))
            .values(revoked_at=now())
        )


def account_for_token(workspace: Workspace, token: str | None) -> AccountView | None:
    """Whose cookie this is, or None for an unknown, expired or ended session or a closed account."""
    if not token:
        return None
    with workspace.session() as session:
        found = session.execute(
            sa.select(LoginSession, Account)
            .join(Account)
            .where(LoginSession.token_hash == sha256(token.encode()), LoginSession.revoked_at.is_(None))
        ).first()
        if found is None:
            return None
        login, account = found
        if login.expires_at <= now() or not account.active:
            return None
        return AccountView(
            account.id, account.login, account.display_name, account.role, account.may_run_code, login.id
        )


def current(workspace: Workspace, cookies: Mapping[str, str]) -> AccountView | None:
    """Who is signed in on a page: `current(workspace, st.context.cookies)`."""
    return account_for_token(workspace, cookies.get(COOKIE))


def ensure_account(
    workspace: Workspace,
    login: str,
    display_name: str,
    role: str,
    password: str | None = None,
    may_run_code: bool = False,
) -> int:
    """Make an account, or bring an existing one to these values; returns its id. For the command line and the demo."""
    if role not in ROLES:
        raise AccountError(f"The role “{role}” is unknown: use {' or '.join(ROLES)}.")
    login = _normal(login)
    with workspace.session() as session:
        account = session.scalar(sa.select(Account).where(Account.login == login))
        if account is None:
            account = Account(login=login, display_name=display_name, role=role)
            session.add(account)
            session.flush()
            record(session, "system", "account made", f"account {account.id}", role=role)
        account.display_name, account.role, account.may_run_code = display_name, role, may_run_code
        if password is not None:
            account.password_hash = _hasher.hash(_checked(password))
        session.flush()
        return account.id


def new_account(session: Session, login: str, display_name: str, role: str, actor: str) -> Account:
    """The account with this login, made under `role` and without a password where there is none yet.

    Raises AccountError for a login that belongs to a closed account or cannot be used.
    """
    login = _normal(login)
    account = session.scalar(sa.select(Account).where(Account.login == login))
    if account is None:
        account = Account(login=login, display_name=display_name.strip() or login, role=role)
        session.add(account)
        session.flush()
        record(session, actor, "account made", f"account {account.id}", role=role)
    elif not account.active:
        raise AccountError(f"The account “{login}” is closed: choose another login.")
    return account


def create_reader(workspace: Workspace, login: str, display_name: str, actor: str) -> int:
    """The id of the reader account with this login; see `new_account`."""
    with workspace.session() as session:
        return new_account(session, login, display_name, "reader", actor).id


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
    hashed = _hasher.hash(_checked(password))
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
        account.password_hash = hashed
        for table, ended in ((Invitation, "used_at"), (LoginSession, "revoked_at")):
            column = getattr(table, ended)
            session.execute(
                sa.update(table).where(table.account_id == account.id, column.is_(None)).values({ended: now()})
            )
        record(session, f"account {account.id}", "invitation taken up", f"account {account.id}")
        return _new_session(session, account)


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
