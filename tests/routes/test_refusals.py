"""Every refusal that a reader can meet is said in the reader's language, never in the server's own English words."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from components.reading_room.component import catalogues
from db.models import (
    Account,
    ElicitationRound,
    Pair,
    ReaderProfile,
    Study,
    StudyDesk,
    StudyReader,
    Trial,
    now,
)
from routes import all_routes
from routes.guard import Guard
from services import elicitation, study_design
from services.accounts import COOKIE, ensure_account, sign_in
from services.adjudication import to_side
from services.study_design import opening
from services.study_design.training import Practice
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs

ROOT = Path(study_design.__file__).parents[2]
KEY = "refused."
# Their English names a key or a number that only who built the request can use; readers are told what to do.
DETAILED = {"answers", "check", "log", "unreadable", "no_schedule"}
GERMAN = {"accept-language": "de-DE,de;q=0.9,en;q=0.5", "origin": "http://localhost"}


def codes_in_the_source() -> set[str]:
    """Every code of a refusal in services/ and routes/. Fails where a refusal has none."""
    found: set[str] = set()
    for path in [*ROOT.glob("services/**/*.py"), *ROOT.glob("routes/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", "")
            code: ast.expr | None = None
            if name == "ReadingRefused":
                code = next((word.value for word in node.keywords if word.arg == "code"), None)
                assert code is not None, f"{path.name}:{node.lineno} refuses without a code"
            elif name == "NotYet":
                code = node.args[0]
            elif name == "_refused":
                code = node.args[-1]
            elif name == "JSONResponse" and isinstance(node.args[0], ast.Dict):
                keys = {
                    getattr(key, "value", None): value
                    for key, value in zip(node.args[0].keys, node.args[0].values, strict=True)
                }
                if "error" in keys and path.name != "views.py" and len(keys) > 1:
                    code = keys.get("code")
            if isinstance(code, ast.Constant):
                found.add(str(code.value))
    return found


def told(body: dict[str, Any], language: str) -> str:
    """What the room shows for a refusal, as refusalText in texts.js does it."""
    words = catalogues()[language]
    values = {
        name: date.fromisoformat(v).strftime("%-d %B %Y") if re.fullmatch(r"\d{4}-\d\d-\d\d", str(v)) else v
        for name, v in body.get("values", {}).items()
    }
    return re.sub(r"\{(\w+)\}", lambda match: str(values[match[1]]), words[KEY + body["code"]])


class Room:
    """A reader at the server, and whatever else refuses."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.app = Starlette(routes=all_routes(), middleware=[Middleware(Guard, workspace=lambda: workspace)])
        self.study = make_study(workspace, noise_pairs(3))
        self.account = add_reader(workspace, self.study)
        self.client = self.signed_in("reader.one")
        self.series = self.client.get("/read/list").json()["series"][0]["series"]
        self.tokens = [one["token"] for one in self.client.get(f"/read/{self.series}/cases").json()["cases"]]

    def signed_in(self, login: str) -> TestClient:
        client = TestClient(self.app, base_url="http://localhost", headers=GERMAN, follow_redirects=False)
        client.cookies.set(COOKIE, sign_in(self.workspace, login, PASSWORD))
        return client

    def get(self, path: str) -> dict[str, Any]:
        return dict(self.client.get(path).json())

    def answer(self, **changed: Any) -> dict[str, Any]:
        sent = {"token": self.tokens[0], "sequence": 1, "answers": {"findings": {"line": "A"}}, "seconds": 1.0}
        return dict(self.client.post("/read/answer", json={**sent, **changed}).json())

    def change(self, kind: type[Any], **values: Any) -> None:
        with self.workspace.session() as session:
            session.execute(sa.update(kind).values(**values))

    def draft(self) -> tuple[TestClient, str, int]:
        """A round of elicitation: client, address, study."""
        study = make_study(self.workspace, noise_pairs(2), seed=5)
        with self.workspace.session() as session:
            session.get_one(Study, study).state = "draft"
        elicitation.open_round(self.workspace, study, actor="test", n_pairs=2)
        elicitation.invite_to_round(self.workspace, study, "reader.one", "One", actor="test")
        line = self.client.get("/read/list").json()["rounds"][0]
        return self.client, f"/read/round/{line['round']}", study

    def propose(self, *items: Any) -> dict[str, Any]:
        client, address, _ = self.draft()
        return dict(client.post(f"{address}/proposals", json={"proposals": list(items)}).json())

    def disputed(self) -> tuple[TestClient, str]:
        """A closed study with one disagreement, and a researcher who may decide it: client, address."""
        add_reader(self.workspace, self.study, "reader.two", "Dr. Two")
        for login, line in (("reader.one", "both"), ("reader.two", "neither")):
            client = self.signed_in(login)
            series = client.get("/read/list").json()["series"][0]["series"]
            for one in client.get(f"/read/{series}/cases").json()["cases"]:
                findings = {"line": line, "shadow": "neither", "rib": "neither"}
                answers = {"findings": findings, "ratings": {"realism": 3, "identity": 4}, "comment": ""}
                client.post(
                    "/read/answer", json={"token": one["token"], "sequence": 1, "answers": answers, "seconds": 1}
                )
        self.change(Study, state="closed")
        ensure_account(self.workspace, "boss", "Boss", "researcher", PASSWORD)
        return self.signed_in("boss"), f"/adjudicate/{self.study}"


def withdrawn(room: Room) -> Any:
    room.change(StudyReader, revoked_at=now())
    return room.get(f"/read/{room.series}/case/{room.tokens[0]}")


def closed(room: Room) -> Any:
    room.change(Study, state="closed")
    return room.answer()


def not_yet(practice: Practice | None, days: int = 0) -> Callable[[Room], Any]:
    def refused(room: Room) -> Any:
        with room.workspace.session() as session:
            study = session.get_one(Study, room.study)
            study.protocol = {**study.protocol, "training": {"n": 2, "pass_mark": 0.8} if practice else None}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(opening, "practice", lambda *_: practice)
            opens = datetime(2031, 11, 24) if days else None
            patch.setattr(opening, "washout_end", lambda *_: opens)
            return room.get(f"/read/{room.series}/case/{room.tokens[0]}")

    return refused


def profile(room: Room) -> Any:
    with room.workspace.session() as session:
        session.add(StudyDesk(study_id=room.study, ask_profile=True))
        assert session.scalar(sa.select(ReaderProfile)) is None
    return room.get(f"/read/{room.series}/case/{room.tokens[0]}")


def elsewhere(room: Room) -> Any:
    room.answer()
    return room.answer(answers={"findings": {"line": "B"}})


def signed_out(room: Room) -> Any:
    room.client.cookies.clear()
    return room.get("/read/list")


def foreign(room: Room) -> Any:
    return room.client.post("/read/answer", json={}, headers={"origin": "http://elsewhere"}).json()


def colleague(path: str) -> Callable[[Room], Any]:
    def refused(room: Room) -> Any:
        ensure_account(room.workspace, "mona", "Mona", "colleague", PASSWORD)
        return room.signed_in("mona").get(path.format(study=room.study)).json()

    return refused


def researcher(path: str, prepare: Callable[[Room], None] = lambda room: None) -> Callable[[Room], Any]:
    def refused(room: Room) -> Any:
        prepare(room)
        ensure_account(room.workspace, "boss", "Boss", "researcher", PASSWORD)
        return room.signed_in("boss").get(path.format(study=room.study)).json()

    return refused


def without_pairs(room: Room) -> None:
    with room.workspace.session() as session:
        for table in (Trial, Pair):
            session.execute(sa.delete(table))


def without_schedule(room: Room) -> None:
    with room.workspace.session() as session:
        study = session.get_one(Study, room.study)
        study.protocol = {**study.protocol, "repeats": {"n": 3, "min_distance": 40, "washout_days": 0}}


def own_reading(room: Room) -> Any:
    _, address = room.disputed()
    with room.workspace.session() as session:
        session.execute(sa.update(Account).values(role="researcher"))
    return room.client.get(f"{address}/cases").json()


def not_disputed(room: Room) -> Any:
    chair, address = room.disputed()
    return chair.get(f"{address}/case/{'0' * 32}").json()


def decided_elsewhere(room: Room) -> Any:
    chair, address = room.disputed()
    token = chair.get(f"{address}/cases").json()["cases"][0]["token"]
    for side in ("A", "B"):
        said = {"findings": {"line": to_side("original", side)}, "comment": ""}
        answer = chair.post(f"{address}/answer", json={"token": token, "sequence": 1, "answers": said})
    return answer.json()


def confirm(state: str, body: dict[str, Any]) -> Callable[[Room], Any]:
    def refused(room: Room) -> Any:
        client, address, _ = room.draft()
        room.change(ElicitationRound, state=state)
        return client.post(f"{address}/confirm", json=body).json()

    return refused


def merging(room: Room) -> Any:
    client, address, _ = room.draft()
    room.change(ElicitationRound, state="confirming")
    return client.post(f"{address}/proposals", json={"proposals": []}).json()


def made_again(room: Room) -> Any:
    client, address, study = room.draft()
    picture = client.get(address).json()["pairs"][0]["urls"]["A"]
    with room.workspace.session() as session:
        session.execute(sa.delete(Pair).where(Pair.study_id == study))
    return client.get(picture).json()


def settled(room: Room) -> Any:
    client, address, _ = room.draft()
    room.change(ElicitationRound, state="done")
    return client.get(address).json()


def finding(label: str) -> dict[str, str]:
    return {"label": label, "kind": "main"}


REFUSALS: dict[str, Callable[[Room], Any]] = {
    "not_listed": lambda room: room.get(f"/read/{'0' * 24}/cases"),
    "withdrawn": withdrawn,
    "closed": closed,
    "pixels": lambda room: room.get(f"/read/pixels/{'0' * 96}/A"),
    "practice": not_yet(Practice(2, 1, 0, 2, 0, 0.8, False)),
    "pass_mark": not_yet(Practice(2, 2, 1, 2, 1, 0.8, False)),
    "opens_on": not_yet(None, days=3),
    "profile": profile,
    "answers": lambda room: room.answer(answers={"findings": {"nose": "A"}}),
    "unreadable": lambda room: room.client.post("/read/answer", content=b"{").json(),
    "check": lambda room: room.client.post(f"/read/{room.series}/check", json={"seen": 3, "screen": {}}).json(),
    "log": lambda room: room.client.post("/read/log", json={"token": room.tokens[0], "visit": "x", "events": 3}).json(),
    "elsewhere": elsewhere,
    "decided_elsewhere": decided_elsewhere,
    "signed_out": signed_out,
    "foreign": foreign,
    "not_for_readers": lambda room: room.get("/rehearse/1/cases"),
    "researchers_only": colleague("/views/scene"),
    "no_part": colleague("/adjudicate/{study}/cases"),
    "still_read": researcher("/adjudicate/{study}/cases"),
    "own_reading": own_reading,
    "not_disputed": not_disputed,
    "no_study": researcher("/rehearse/99/cases"),
    "no_pairs": researcher("/rehearse/{study}/cases", without_pairs),
    "no_schedule": researcher("/rehearse/{study}/cases", without_schedule),
    "no_case": researcher("/rehearse/{study}/case/40"),
    "merging": merging,
    "objection": confirm("confirming", {"digest": "", "objection": "x" * 2001}),
    "list_changed": confirm("confirming", {"digest": "other"}),
    "made_again": made_again,
    "settled": settled,
    "too_many": lambda room: room.propose(*(finding(f"line {i}") for i in range(41))),
    "no_name": lambda room: room.propose(finding(" ")),
    "long_name": lambda room: room.propose(finding("x" * 200)),
    "twice": lambda room: room.propose(finding("Line"), finding("line")),
}


@pytest.fixture
def room(workspace: Workspace) -> Room:
    return Room(workspace)


def test_every_refusal_has_a_code_and_every_code_a_text_and_a_test() -> None:
    named = {key.removeprefix(KEY) for key in catalogues()["en"] if key.startswith(KEY)}
    assert codes_in_the_source() == named == set(REFUSALS)


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_is_told_in_german(room: Room, code: str) -> None:
    body = REFUSALS[code](room)
    assert body["code"] == code, body
    english, german = told(body, "en"), told(body, "de")
    if code not in DETAILED:
        assert body["error"] == english, "the server's words and the catalogue's are the same"
    assert german != english and "{" not in german
    assert not re.search(r"\b(the|this|is|are|not|again|please|you)\b", german, re.IGNORECASE), german
