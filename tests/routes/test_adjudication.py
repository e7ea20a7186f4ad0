"""The chair's room over HTTP: open to the chair, closed to everybody else."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from db.models import Study
from routes import all_routes
from routes.guard import Guard
from services import study_members
from services.accounts import COOKIE, sign_in
from services.invitations import accept_invitation
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs
from tests.services.test_adjudication import answer_all


def test_the_room_opens_for_the_chair_alone(workspace: Workspace) -> None:
    study = make_study(workspace, noise_pairs(2))
    for i in range(2):
        account = add_reader(workspace, study, f"reader.{i}", f"Dr. {i}")
        answer_all(workspace, account, {(1, "line"): "counterfactual"} if i else {})
    with workspace.session() as session:
        session.get_one(Study, study).state = "closed"
    cookies = {"reader.0": sign_in(workspace, "reader.0", PASSWORD)}
    for part in ("chair", "monitor"):
        link = study_members.invite_member(workspace, study, f"the.{part}", part, part, "test")
        cookies[part] = accept_invitation(workspace, link.removeprefix("/invite/"), PASSWORD)
    app = Starlette(routes=all_routes(), middleware=[Middleware(Guard, workspace=lambda: workspace)])

    def client(name: str) -> TestClient:
        opened = TestClient(app, base_url="http://localhost", headers={"origin": "http://localhost"})
        opened.cookies.set(COOKIE, cookies[name])
        return opened

    room = client("chair")
    token = room.get(f"/adjudicate/{study}/cases").json()["cases"][0]["token"]
    case = room.get(f"/adjudicate/{study}/case/{token}").json()
    pixels = room.get(case["pixels"]["urls"]["A"], headers={"accept-encoding": "gzip"})
    assert len(pixels.content) == 96 * 80 and pixels.headers["cache-control"] == "no-store"
    assert "content-encoding" not in pixels.headers
    answers = {"findings": {"line": "neither"}, "ratings": {}, "comment": "", "questions": {"reason": "A rib."}}
    sent = {"token": token, "sequence": 1, "answers": answers, "seconds": 2.0}
    assert room.post(f"/adjudicate/{study}/answer", json=sent).json()["complete"] is True
    assert room.post(f"/adjudicate/{study}/answer", json={"token": token}).status_code == 400
    assert room.post(f"/adjudicate/{study}/answer", json=sent, headers={"origin": "http://x.org"}).status_code == 403
    for name in ("reader.0", "monitor"):
        other = client(name)
        for path in (f"/adjudicate/{study}/cases", f"/adjudicate/{study}/case/{token}", case["pixels"]["urls"]["B"]):
            assert other.get(path).status_code in (403, 404), (name, path)
        assert other.post(f"/adjudicate/{study}/answer", json=sent).status_code == 403
