"""The door: who gets in, where to, and from which pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from routes import all_routes
from routes.guard import Guard, same_origin
from services.accounts import COOKIE, DEMO_LOGINS, ensure_account, sign_in
from services.workspace import Workspace
from tests.browser.studies import PASSWORD

HTML = {"accept": "text/html"}


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    everything = Route("/{path:path}", lambda request: PlainTextResponse(request.headers.get("accept-encoding", "")))
    app = Starlette(routes=[*all_routes(), everything], middleware=[Middleware(Guard, workspace=lambda: workspace)])
    ensure_account(workspace, "ada", "Ada", "researcher", PASSWORD)
    ensure_account(workspace, "rob", "Rob", "reader", PASSWORD)
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as opened:
        yield opened


def as_account(client: TestClient, workspace: Workspace, login: str) -> None:
    client.cookies.set(COOKIE, sign_in(workspace, login, PASSWORD))


def test_signed_out_pages_lead_to_the_form_and_the_rest_is_refused(client: TestClient) -> None:
    for path in ("/", "/explore", "/read", "/media/abc.png", "/_stcore/metrics", "/read/list", "/rehearse/1/cases"):
        page = client.get(path, headers=HTML)
        assert page.status_code == 303 and page.headers["location"].startswith("/auth/sign-in"), path
        assert client.get(path, headers={"accept": "*/*"}).status_code == 401, path
    assert client.post("/_stcore/upload_file/x").status_code == 401


def test_the_way_back_after_signing_in_is_kept(client: TestClient) -> None:
    answer = client.get("/read?series=abc", headers=HTML)
    assert answer.headers["location"] == "/auth/sign-in?next=%2Fread%3Fseries%3Dabc"


def test_some_paths_are_open(client: TestClient) -> None:
    for path in ("/static/app.js", "/_stcore/health", "/_stcore/host-config", "/auth/sign-in"):
        assert client.get(path).status_code == 200, path


def test_a_reader_stays_in_the_reading_room(client: TestClient, workspace: Workspace) -> None:
    as_account(client, workspace, "rob")
    for path in ("/media/x", "/component/x", "/app/static/x", "/_stcore/upload_file/x", "/_stcore/metrics"):
        assert client.get(path).status_code == 403
    for path in ("/", "/studies", "/results?study=1"):
        assert client.get(path, headers=HTML).headers["location"] == "/read"
    assert client.get("/read", headers=HTML).status_code == 200
    assert client.get("/read/list").status_code == 200


def test_a_researcher_reaches_the_studio(client: TestClient, workspace: Workspace) -> None:
    as_account(client, workspace, "ada")
    for path in ("/", "/studies", "/media/x"):
        assert client.get(path, headers=HTML).status_code == 200


def test_nothing_below_read_is_ever_compressed(client: TestClient, workspace: Workspace) -> None:
    as_account(client, workspace, "ada")
    encoding = {"accept-encoding": "gzip"}
    assert client.get("/elsewhere", headers=encoding).text == "gzip"
    assert client.get("/read/some/where/else", headers=encoding).text == ""


FOREIGN: tuple[dict[str, str], ...] = (
    {},
    {"origin": "null"},
    {"origin": "http://evil.example"},
    {"origin": "http://localhost:81"},
    {"origin": "http://localhost", "sec-fetch-site": "cross-site"},
    {"origin": "http://localhost", "sec-fetch-site": "same-site"},
)


def test_other_origins_change_nothing(client: TestClient, workspace: Workspace) -> None:
    as_account(client, workspace, "ada")
    for path in ("/auth/sign-in", "/auth/sign-out", "/auth/demo", "/invite/x", "/read/answer"):
        for headers in FOREIGN:
            assert client.post(path, headers=headers).status_code == 403, (path, headers)


def test_own_pages_are_recognised_behind_a_proxy_that_ends_tls() -> None:
    headers = Headers({"origin": "https://reader.example", "host": "reader.example", "sec-fetch-site": "same-origin"})
    assert same_origin(headers)


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for path in ("/auth/sign-in", "/invite/x", "/"):
        headers = client.get(path, headers=HTML).headers
        assert headers["x-frame-options"] == "DENY" and headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


def test_the_demo_form_shows_only_at_home_in_a_demo(workspace: Workspace, client: TestClient) -> None:
    ensure_account(workspace, DEMO_LOGINS["reader"], "Demo", "reader")
    app = client.app

    def offers(address: str, base: str) -> bool:
        far = TestClient(app, base_url=base, client=(address, 5000))
        return "Open the demo" in far.get("/auth/sign-in").text

    assert not offers("127.0.0.1", "http://localhost")
    (workspace.folder / "demo").touch()
    for own in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert offers(own, "http://localhost")
    for foreign in ("192.0.2.9", "::ffff:192.0.2.9", "2001:db8::1", "nowhere"):
        assert not offers(foreign, "http://localhost")
    assert not offers("127.0.0.1", "http://reader.example")
    far = TestClient(app, base_url="http://localhost", client=("192.0.2.9", 1), follow_redirects=False)
    answer = far.post("/auth/demo", data={"role": "reader"}, headers={"origin": "http://localhost"})
    assert answer.status_code == 403 and COOKIE not in answer.cookies
    near = TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1), follow_redirects=False)
    answer = near.post("/auth/demo", data={"role": "reader"}, headers={"origin": "http://localhost"})
    assert answer.status_code == 303 and answer.headers["location"] == "/read"
