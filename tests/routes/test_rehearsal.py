"""Rehearsing is for researchers."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from routes import all_routes
from routes.guard import Guard
from services.accounts import COOKIE, ensure_account, sign_in
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, make_study, noise_pairs


def test_a_researcher_rehearses_and_a_reader_does_not(workspace: Workspace) -> None:
    study = make_study(workspace, noise_pairs(2))
    app = Starlette(routes=all_routes(), middleware=[Middleware(Guard, workspace=lambda: workspace)])
    for login, role, status in (("ada", "researcher", 200), ("rob", "reader", 403)):
        ensure_account(workspace, login, login, role, PASSWORD)
        client = TestClient(app, base_url="http://localhost")
        client.cookies.set(COOKIE, sign_in(workspace, login, PASSWORD))
        case = client.get(f"/rehearse/{study}/case/1")
        assert client.get(f"/rehearse/{study}/cases").status_code == case.status_code == status
        pixels = client.get(f"/rehearse/{study}/pixels/1/A")
        assert pixels.status_code == status
        if status == 200:
            assert len(pixels.content) == 96 * 80 and pixels.headers["cache-control"] == "no-store"
            assert client.get(f"/rehearse/{study}/case/9").status_code == 404
    assert TestClient(app, base_url="http://localhost").get(f"/rehearse/{study}/cases").status_code == 401
