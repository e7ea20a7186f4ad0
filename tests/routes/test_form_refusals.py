"""Every refusal of a form (sign-in, invitations) is said in the language of the person who asks."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from db.models import Account, Invitation, now
from routes import all_routes
from routes.guard import Guard
from routes.wording import texts
from services import accounts, invitations
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, make_study, noise_pairs

GERMAN = {"accept-language": "de-DE,de;q=0.9,en;q=0.5", "origin": "http://localhost"}


@pytest.fixture
def form(workspace: Workspace) -> Iterator[TestClient]:
    app = Starlette(routes=all_routes(), middleware=[Middleware(Guard, workspace=lambda: workspace)])
    with TestClient(app, base_url="http://localhost", headers=GERMAN, follow_redirects=False) as opened:
        yield opened


def account_codes() -> set[str]:
    """Codes of the account errors that forms show."""
    trees = [ast.parse(inspect.getsource(module)) for module in (accounts, invitations)]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [call for call in calls if getattr(call.func, "id", "") == "AccountError" and len(call.args) > 1]
    return {str(call.args[1].value) for call in named if isinstance(call.args[1], ast.Constant)} | {"pause"}


def link_of(workspace: Workspace, **changed: Any) -> str:
    """An invitation's link, its row changed as given."""
    link = invitations.invite_reader(workspace, make_study(workspace, noise_pairs(2)), "r.one", "Dr. One", "test")
    if changed:
        with workspace.session() as session:
            session.execute(sa.update(Invitation).values(**changed))
    return link


def account_closed(form: TestClient, workspace: Workspace) -> Any:
    link = link_of(workspace)
    with workspace.session() as session:
        session.execute(sa.update(Account).values(active=False))
    return form.get(link)


def paused(form: TestClient, workspace: Workspace) -> Any:
    for _ in range(6):
        answer = form.post("/auth/sign-in", data={"login": "late", "password": "wrong"})
    return answer


def demo(complete: bool) -> Callable[[TestClient, Workspace], Any]:
    def refused(form: TestClient, workspace: Workspace) -> Any:
        if not complete:
            (workspace.folder / "demo").touch()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CFREADER_OPEN_DEMO", "1")
            return form.post("/auth/demo", data={"role": "reader"})

    return refused


FORMS: dict[str, Callable[[TestClient, Workspace], Any]] = {
    "differ": lambda form, ws: form.post(link_of(ws), data={"password": PASSWORD, "again": "other words"}),
    "short": lambda form, ws: form.post(link_of(ws), data={"password": "short", "again": "short"}),
    "long": lambda form, ws: form.post(link_of(ws), data={"password": "x" * 1001, "again": "x" * 1001}),
    "no_match": lambda form, ws: form.post("/auth/sign-in", data={"login": "nobody", "password": "wrong"}),
    "pause": paused,
    "no_demo": demo(complete=True),
    "demo_incomplete": demo(complete=False),
    "demo_elsewhere": lambda form, ws: form.post("/auth/demo", data={"role": "reader"}),
    "link_unknown": lambda form, ws: form.get("/invite/cut-off"),
    "link_used": lambda form, ws: form.get(link_of(ws, used_at=now())),
    "link_replaced": lambda form, ws: form.get(link_of(ws, revoked_at=now())),
    "link_expired": lambda form, ws: form.get(link_of(ws, expires_at=now() - timedelta(days=1))),
    "account_closed": account_closed,
}


def test_every_account_error_has_a_text_and_a_test() -> None:
    named = {k.removeprefix("account.refused.") for k in texts()["en"] if k.startswith("account.refused.")}
    # Two clicks at one time: tests/routes/test_forms.py has them.
    assert named == set(FORMS) | {"link_just_used"}
    assert account_codes() <= named


@pytest.mark.parametrize("code", FORMS)
def test_a_form_refuses_in_german(form: TestClient, workspace: Workspace, code: str) -> None:
    answer = FORMS[code](form, workspace)
    assert answer.status_code in (401, 403, 410, 422, 429)
    said = re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", answer.text, flags=re.DOTALL))
    pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(texts()["de"][f"account.refused.{code}"]))
    assert re.search(pattern, said), said
    english = {text for key, text in texts()["en"].items() if key.startswith(("account.", "invite.", "sign_in."))}
    german = set(texts()["de"].values())
    assert not [text for text in english - german if text in said and len(text) > 8]
    assert '<html lang="de">' in answer.text


def test_the_language_can_be_chosen_on_the_form(form: TestClient, workspace: Workspace) -> None:
    link = link_of(workspace)
    assert "Willkommen, Dr. One" in form.get(link).text
    english = form.get(f"{link}?lang=en").text
    assert "Welcome, Dr. One" in english and 'name="lang" value="en"' in english
    again = form.post(link, data={"password": "short", "again": "short", "lang": "en"})
    assert "too short" in again.text


def test_languages_have_the_same_texts() -> None:
    english, german = texts()["en"], texts()["de"]
    assert list(english) == list(german)
    for key in english:
        assert set(re.findall(r"\{(\w+)\}", english[key])) == set(re.findall(r"\{(\w+)\}", german[key])), key
