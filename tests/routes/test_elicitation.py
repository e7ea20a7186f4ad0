"""The elicitation routes: who may, what is sent, what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from db.models import Study
from routes import all_routes
from routes.guard import Guard
from services import elicitation
from services.accounts import COOKIE, ensure_account, sign_in
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, make_study, noise_pairs


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    app = Starlette(routes=all_routes(), middleware=[Middleware(Guard, workspace=lambda: workspace)])
    study = make_study(workspace, noise_pairs(2))
    with workspace.session() as session:
        session.get_one(Study, study).state = "draft"
    ensure_account(workspace, "reader.one", "Dr. One", "reader", PASSWORD)
    elicitation.open_round(workspace, study, actor="test", n_pairs=2)
    assert elicitation.invite_to_round(workspace, study, "reader.one", "One", actor="test") == "/read"
    with TestClient(app, base_url="http://localhost", headers={"origin": "http://localhost"}) as opened:
        opened.cookies.set(COOKIE, sign_in(workspace, "reader.one", PASSWORD))
        yield opened


def test_a_round_is_listed_opened_and_answered(client: TestClient) -> None:
    (line,) = client.get("/read/list").json()["rounds"]
    assert line["state"] == "propose"
    address = f"/read/round/{line['round']}"
    told = client.get(address).json()
    a, b = (client.get(told["pairs"][0]["urls"][side]) for side in "AB")
    assert a.status_code == b.status_code == 200 and a.content != b.content and len(a.content) == 96 * 80
    assert dict(a.headers) == dict(b.headers)
    sent = client.post(f"{address}/proposals", json={"proposals": [{"label": "Line", "kind": "main"}]})
    assert sent.json() == {"state": "sent", "proposals": [{"label": "Line", "kind": "main"}]}
    early = client.post(f"{address}/confirm", json={"digest": "x"})
    assert early.status_code == 409


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("proposals", b"", 400),
        ("proposals", b"[]", 400),
        ("proposals", b'{"proposals": 3}', 422),
        ("confirm", b"{}", 400),
    ],
)
def test_what_cannot_be_read_is_refused(client: TestClient, path: str, body: bytes, status: int) -> None:
    token = client.get("/read/list").json()["rounds"][0]["round"]
    assert client.post(f"/read/round/{token}/{path}", content=body).status_code == status


def test_an_unknown_round_or_picture_is_not_there(client: TestClient) -> None:
    assert client.get(f"/read/round/{'0' * 32}").status_code == 404
    assert client.get(f"/read/round/pixels/{'0' * 99}/A").status_code == 404
