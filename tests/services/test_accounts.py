"""Signing in, invitations, sessions and their ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from db.events import first_broken
from db.models import Account, Invitation, LoginSession, Study, StudyReader, Trial, now
from services import accounts, invitations
from services.accounts import AccountError, TooManyAttempts
from services.attempts import Attempts
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs


@pytest.fixture(autouse=True)
def fresh_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_by_login", Attempts(5, timedelta(minutes=15)))
    monkeypatch.setattr(accounts, "_by_address", Attempts(50, timedelta(minutes=15)))


@pytest.fixture
def researcher(workspace: Workspace) -> int:
    return accounts.ensure_account(workspace, "Ada", "Dr. Ada", "researcher", PASSWORD, may_run_code=True)


def token_of(link: str) -> str:
    return link.removeprefix("/invite/")


def test_a_cookie_stands_for_its_account_until_signed_out(workspace: Workspace, researcher: int) -> None:
    token = accounts.sign_in(workspace, " ada ", PASSWORD)
    view = accounts.current(workspace, {accounts.COOKIE: token, "other": "x"})
    assert view is not None
    assert (view.id, view.login, view.role, view.may_run_code) == (researcher, "ada", "researcher", True)
    assert accounts.current(workspace, {}) is None
    assert accounts.account_for_token(workspace, token + "x") is None
    accounts.sign_out(workspace, token)
    assert accounts.account_for_token(workspace, token) is None


def test_no_secret_is_stored_as_it_is(workspace: Workspace, researcher: int) -> None:
    token = accounts.sign_in(workspace, "ada", PASSWORD)
    with workspace.session() as session:
        assert session.scalar(sa.select(Account.password_hash)).startswith("$argon2id$")  # type: ignore[union-attr]
        assert token not in (session.scalar(sa.select(LoginSession.token_hash)) or "")


@pytest.mark.parametrize("end", ["expired", "closed"])
def test_a_session_ends_with_its_time_and_with_its_account(workspace: Workspace, researcher: int, end: str) -> None:
    token = accounts.sign_in(workspace, "ada", PASSWORD)
    with workspace.session() as session:
        if end == "expired":
            session.execute(sa.update(LoginSession).values(expires_at=now() - timedelta(seconds=1)))
        else:
            session.execute(sa.update(Account).values(active=False))
    assert accounts.account_for_token(workspace, token) is None
    if end == "closed":
        with pytest.raises(AccountError, match="do not match"):
            accounts.sign_in(workspace, "ada", PASSWORD)


def test_unknown_login_and_wrong_password_read_the_same(workspace: Workspace, researcher: int) -> None:
    messages = set()
    for login, password in (("ada", "wrong password"), ("nobody", PASSWORD)):
        with pytest.raises(AccountError) as refused:
            accounts.sign_in(workspace, login, password)
        messages.add(str(refused.value))
    assert len(messages) == 1


def test_an_account_without_a_password_cannot_sign_in(workspace: Workspace) -> None:
    accounts.create_reader(workspace, "reader", "Dr. R", "test")
    for password in ("", "None", PASSWORD):
        with pytest.raises(AccountError):
            accounts.sign_in(workspace, "reader", password)


def test_failures_pause_a_login_and_a_success_before_that_clears_them(workspace: Workspace, researcher: int) -> None:
    for _ in range(4):
        with pytest.raises(AccountError):
            accounts.sign_in(workspace, "ada", "wrong password")
    accounts.sign_in(workspace, "ada", PASSWORD)
    for _ in range(5):
        with pytest.raises(AccountError, match="do not match"):
            accounts.sign_in(workspace, "ada", "wrong password")
    with pytest.raises(TooManyAttempts, match="15 min"):
        accounts.sign_in(workspace, "ADA", PASSWORD)


def test_failures_pause_an_address_over_all_logins(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_verifies", lambda *_: False)
    for number in range(50):
        with pytest.raises(AccountError, match="do not match"):
            accounts.sign_in(workspace, f"guess{number}", "x", "198.51.100.7")
    with pytest.raises(TooManyAttempts):
        accounts.sign_in(workspace, "guess51", "x", "198.51.100.7")
    with pytest.raises(AccountError, match="do not match"):
        accounts.sign_in(workspace, "guess51", "x", "198.51.100.8")


def test_attempts_leave_the_window_one_by_one() -> None:
    clock = [0.0]
    attempts = Attempts(2, timedelta(seconds=10), clock=lambda: clock[0])
    for at in (0.0, 4.0):
        clock[0] = at
        attempts.failed("k")
    assert attempts.wait("k") == pytest.approx(6.0)
    clock[0] = 10.0
    assert attempts.wait("k") == 0.0
    attempts.failed("k")
    assert attempts.wait("k") == pytest.approx(4.0)
    assert attempts.wait("") == 0.0


def test_attempts_forget_the_oldest_keys_first() -> None:
    attempts = Attempts(1, timedelta(seconds=10), clock=lambda: 0.0, most_keys=2)
    for key in "abc":
        attempts.failed(key)
    assert [attempts.wait(key) > 0 for key in "abc"] == [False, True, True]


@pytest.mark.parametrize("login", ["", "a", "two words", "-x", "x" * 65, "tab\tx", "ä"])
def test_unusable_logins_are_named(workspace: Workspace, login: str) -> None:
    with pytest.raises(AccountError, match="cannot be used"):
        accounts.create_reader(workspace, login, "Name", "test")


def test_unknown_roles_and_short_passwords_are_refused(workspace: Workspace) -> None:
    with pytest.raises(AccountError, match="unknown"):
        accounts.ensure_account(workspace, "x1", "X", "admin", PASSWORD)
    with pytest.raises(AccountError, match="too short"):
        accounts.ensure_account(workspace, "x1", "X", "reader", "short")


def test_an_invitation_works_once(workspace: Workspace) -> None:
    study = make_study(workspace, noise_pairs(3))
    link = invitations.invite_reader(workspace, study, "r@example.org", "Dr. R", "test")
    for _ in range(3):  # looking changes nothing
        found = invitations.invitation(workspace, token_of(link))
        assert found is not None and (found.login, found.has_password) == ("r@example.org", False)
    with pytest.raises(AccountError, match="too short"):
        invitations.accept_invitation(workspace, token_of(link), "short")
    cookie = invitations.accept_invitation(workspace, token_of(link), PASSWORD)
    view = accounts.account_for_token(workspace, cookie)
    assert view is not None and view.role == "reader"
    assert invitations.invitation(workspace, token_of(link)) is None
    with pytest.raises(AccountError, match="has been used"):
        invitations.accept_invitation(workspace, token_of(link), "another password")
    accounts.sign_in(workspace, "r@example.org", PASSWORD)


def test_an_invitation_expires(workspace: Workspace) -> None:
    study = make_study(workspace, noise_pairs(2))
    link = invitations.invite_reader(workspace, study, "r1", "R", "test")
    with workspace.session() as session:
        session.execute(sa.update(Invitation).values(expires_at=now()))
    assert invitations.invitation(workspace, token_of(link)) is None
    with pytest.raises(AccountError):
        invitations.accept_invitation(workspace, token_of(link), PASSWORD)


def test_inviting_writes_order_and_sides_once(workspace: Workspace) -> None:
    study = make_study(workspace, noise_pairs(8))
    links = [invitations.invite_reader(workspace, study, "r1", "R", "test") for _ in range(2)]
    invitations.invite_reader(workspace, study, "r2", "R", "test")
    assert links[0] != links[1]
    with workspace.session() as session:
        readers = session.scalars(sa.select(StudyReader).order_by(StudyReader.id)).all()
        assert [r.label for r in readers] == ["R1", "R2"]
        plans = [[(t.pair_id, t.original_side) for t in r.trials] for r in readers]
        assert [len({p for p, _ in plan}) for plan in plans] == [8, 8] and plans[0] != plans[1]
        assert [t.position for t in readers[0].trials] == list(range(8))
        assert all(sum(side == "A" for _, side in plan) == 4 for plan in plans)
        tokens = session.scalars(sa.select(Trial.token)).all()
        assert len(set(tokens)) == 16 and {len(t) for t in tokens} == {32}
        assert first_broken(session) is None


@pytest.mark.parametrize("state", ["draft", "closed"])
def test_only_a_locked_study_takes_readers(workspace: Workspace, state: str) -> None:
    study = make_study(workspace, noise_pairs(2))
    with workspace.session() as session:
        session.execute(sa.update(Study).values(state=state))
    with pytest.raises(AccountError, match=state):
        invitations.invite_reader(workspace, study, "r1", "R", "test")
    with pytest.raises(AccountError, match="no study 99"):
        invitations.invite_reader(workspace, 99, "r1", "R", "test")


def test_an_invitation_never_opens_an_account_that_has_a_password(workspace: Workspace, researcher: int) -> None:
    study = make_study(workspace, noise_pairs(2))
    add_reader(workspace, study, "r1", "R")
    assert invitations.invite_reader(workspace, study, "r1", "R", "test") == "/read"
    assert invitations.invite_reader(workspace, study, "ada", "Ada", "test") == "/read"


def test_a_reader_who_forgot_gets_a_link_and_a_researcher_does_not(workspace: Workspace, researcher: int) -> None:
    study = make_study(workspace, noise_pairs(2))
    reader = add_reader(workspace, study, "r1", "R")
    old = accounts.sign_in(workspace, "r1", PASSWORD)
    link = invitations.new_password_link(workspace, reader, "test")
    invitations.accept_invitation(workspace, token_of(link), "another password")
    assert accounts.account_for_token(workspace, old) is None
    with pytest.raises(AccountError):
        accounts.sign_in(workspace, "r1", PASSWORD)
    with pytest.raises(AccountError, match="readers only"):
        invitations.new_password_link(workspace, researcher, "test")


def test_the_first_researcher_gets_a_link_until_there_is_a_password(workspace: Workspace) -> None:
    first, second = invitations.first_link(workspace), invitations.first_link(workspace)
    assert first and second and first != second
    assert invitations.invitation(workspace, token_of(first)) is None  # only the newest one works
    invitations.accept_invitation(workspace, token_of(second), PASSWORD)
    assert invitations.first_link(workspace) is None


def test_the_demo_opens_without_a_password_only_where_the_workspace_is_one(workspace: Workspace) -> None:
    login = accounts.DEMO_LOGINS["reader"]
    accounts.ensure_account(workspace, login, "Demo", "reader")
    with pytest.raises(AccountError, match="no demo"):
        accounts.open_demo(workspace, "reader")
    (workspace.folder / "demo").touch()
    view = accounts.account_for_token(workspace, accounts.open_demo(workspace, "reader"))
    assert view is not None and view.login == login
    with pytest.raises(AccountError, match="not complete"):
        accounts.open_demo(workspace, "researcher")
    with pytest.raises(AccountError, match="no demo"):
        accounts.open_demo(workspace, "root")
