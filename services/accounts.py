"""Accounts, signing in and out, and who a cookie belongs to."""

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
from db.models import Account, LoginSession, now
from services.attempts import Attempts
from services.workspace import Workspace, sha256

COOKIE = "cfreader_session"
SESSION_LENGTH = timedelta(hours=12)
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


def _normal(login: str) -> str:
    login = login.strip().casefold()
    if not re.fullmatch(r"[a-z0-9][a-z0-9._@+-]{1,63}", login):
        raise AccountError(
            f"The login “{login}” cannot be used: take 2 to 64 letters, digits or . _ @ + -, e.g. an e-mail address."
        )
    return login


def hashed(password: str) -> str:
    """What is stored of a password. Raises AccountError for one that is too short or too long."""
    if len(password) < MINIMUM_PASSWORD:
        message = f"The password is too short: use at least {MINIMUM_PASSWORD} characters."
        raise AccountError(message, "short", minimum=MINIMUM_PASSWORD)
    if len(password) > 1000:
        raise AccountError("The password is too long: use at most 1000 characters.", "long")
    return _hasher.hash(password)


def new_session(session: Session, account: Account) -> str:
    """Sign an account in: the token of a fresh session, of which the database holds the hash alone."""
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
        token = new_session(session, account)
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
        return new_session(session, account)


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
            account.password_hash = hashed(password)
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
