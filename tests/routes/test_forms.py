"""The forms: signing in and out, invitations."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from routes import all_routes
from routes.guard import Guard
from services import accounts, invitations
from services.accounts import COOKIE
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, make_study, noise_pairs

HERE = {"origin": "http://localhost"}


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    app = Starlette(routes=all_routes(), middleware=[Middleware(Guard, workspace=lambda: workspace)])
    accounts.ensure_account(workspace, "ada", "Ada", "researcher", PASSWORD)
    with TestClient(app, base_url="http://localhost", follow_redirects=False, headers=HERE) as opened:
        yield opened


def test_signing_in_sets_a_cookie_that_scripts_cannot_read(client: TestClient) -> None:
    answer = client.post("/auth/sign-in", data={"login": "ada", "password": PASSWORD})
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "path=/" in cookie
    assert "secure" not in cookie
    assert client.get("/read/list").json()["name"] == "Ada"
    assert client.get("/auth/sign-in").headers["location"] == "/"


def test_the_cookie_is_secure_over_https(client: TestClient) -> None:
    safe = TestClient(client.app, base_url="https://localhost", follow_redirects=False)
    answer = safe.post(
        "/auth/sign-in", data={"login": "ada", "password": PASSWORD}, headers={"origin": "https://localhost"}
    )
    assert "secure" in answer.headers["set-cookie"].lower()


def test_signing_in_never_leads_to_another_server(client: TestClient) -> None:
    for following, goes in (
        ("/read?series=x", "/read?series=x"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\nSet-Cookie: x=1", "/"),
    ):
        answer = client.post("/auth/sign-in", data={"login": "ada", "password": PASSWORD, "next": following})
        assert answer.headers["location"] == goes, following


def test_a_failure_says_so_and_keeps_the_login(client: TestClient) -> None:
    answer = client.post("/auth/sign-in", data={"login": "ada<b>", "password": "wrong"})
    assert answer.status_code == 401 and "do not match" in answer.text
    assert "ada&lt;b&gt;" in answer.text and "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_too_many_failures_say_when_to_come_back(client: TestClient) -> None:
    for _ in range(5):
        client.post("/auth/sign-in", data={"login": "flooded", "password": "wrong"})
    answer = client.post("/auth/sign-in", data={"login": "flooded", "password": "wrong"})
    assert answer.status_code == 429 and 800 < int(answer.headers["retry-after"]) <= 901


def test_signing_out_ends_the_session_on_the_server(client: TestClient) -> None:
    client.post("/auth/sign-in", data={"login": "ada", "password": PASSWORD})
    token = client.cookies[COOKIE]
    assert client.post("/auth/sign-out").headers["location"] == "/auth/sign-in"
    client.cookies.set(COOKIE, token)
    assert client.get("/read/list").status_code == 401


def test_an_invitation_from_link_to_list(client: TestClient, workspace: Workspace) -> None:
    link = invitations.invite_reader(workspace, make_study(workspace, noise_pairs(2)), "r.one", "Dr. One", "test")
    for method in ("GET", "HEAD", "GET"):  # as mail scanners do
        assert client.request(method, link).status_code == 200
    differ = client.post(link, data={"password": PASSWORD, "again": "something else"})
    assert differ.status_code == 422 and "differ" in differ.text
    short = client.post(link, data={"password": "short", "again": "short"})
    assert short.status_code == 422 and "at least 10" in short.text
    done = client.post(link, data={"password": PASSWORD, "again": PASSWORD})
    assert done.status_code == 303 and done.headers["location"] == "/read"
    assert [s["title"] for s in client.get("/read/list").json()["series"]] == ["Chest radiographs, series 1"]
    assert client.get(link).status_code == 410
    assert client.post(link, data={"password": PASSWORD, "again": PASSWORD}).status_code == 410


def test_two_clicks_at_one_time_use_a_link_once(client: TestClient, workspace: Workspace) -> None:
    link = invitations.invite_reader(workspace, make_study(workspace, noise_pairs(2)), "r.one", "Dr. One", "test")

    def click(_: int) -> int:
        return client.post(link, data={"password": PASSWORD, "again": PASSWORD}).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(click, range(4)))
    assert statuses[0] == 303 and set(statuses[1:]) <= {410, 422}
    said = client.get(link).text
    assert "This link no longer works" in said and "/auth/sign-in" in said
