"""A reader practises: what was right is told after the case, and the first counted case opens once enough is right."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, expect

from db.models import Pair, Study, Trial
from services.workspace import Workspace, open_workspace
from tests.browser.reading import ALL_ANSWERS, at_case, finish_case, seated
from tests.browser.server import Server
from tests.browser.studies import add_reader, make_study, noise_pairs


@pytest.fixture
def practice_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Workspace]]:
    folder = tmp_path_factory.mktemp("practice") / "workspace"
    workspace = open_workspace(folder)
    study_id = make_study(workspace, noise_pairs(3))
    with workspace.session() as session:
        study = session.get_one(Study, study_id)
        study.protocol = {**study.protocol, "training": {"n": 1, "pass_mark": 1.0}}
        pair = session.scalars(sa.select(Pair).order_by(Pair.id)).first()
        assert pair is not None
        pair.kind, pair.arm, pair.truth = "training", "training", {"line": [True, True], "shadow": [False, False]}
        practised = pair.id
    add_reader(workspace, study_id)
    with workspace.session() as session:
        trials = list(session.scalars(sa.select(Trial).order_by(Trial.position)))
        first = next(trial for trial in trials if trial.pair_id == practised)
        for trial in trials:
            trial.position += 10
        session.flush()
        for place, trial in enumerate([first, *(trial for trial in trials if trial is not first)]):
            trial.position = place
        first.purpose = "training"
    with Server(folder, worker=False) as server:
        yield server, workspace
    workspace.engine.dispose()


def test_who_has_seen_what_was_right_goes_on_with_one_press(
    practice_room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    server, _ = practice_room
    page = seated(context, server, "reader.one")
    for key in ALL_ANSWERS:
        page.keyboard.press(key)
    expect(page.locator(".practice .wrong")).to_have_count(1)  # told before anything is pressed to go on
    page.wait_for_timeout(1100)
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_contain_text("1 of 2 practice answers are right")


def test_practice_tells_what_was_right_and_opens_the_study_when_passed(
    practice_room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    server, workspace = practice_room
    page = seated(context, server, "reader.one")
    told = page.locator(".practice")
    expect(told).to_be_hidden()
    finish_case(page)  # neither, neither, neither: one of two right
    expect(told).to_contain_text("Line or tube")
    expect(told.locator(".wrong")).to_contain_text("in both")
    expect(told.locator(".right")).to_have_count(1)
    expect(told).to_have_class(re.compile("pointed"))  # the press came too early to have seen it
    at_case(page, 1)
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_contain_text("1 of 2 practice answers are right, 100 % are needed")
    page.get_by_role("button", name="Back", exact=False).first.click()
    at_case(page, 1)
    expect(told).to_contain_text("Line or tube")
    for _ in range(6):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("n")  # the same answer once more is no news
    expect(told.locator(".wrong")).to_have_count(1)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("x")
    expect(told.locator(".wrong")).to_have_count(0)
    page.keyboard.press("Enter")  # early again, but all is right: the room goes on when it has been seen
    at_case(page, 2)
    expect(told).to_be_hidden()
    finish_case(page)
    at_case(page, 3)
    with workspace.session() as session:
        trial = session.scalars(sa.select(Trial).where(Trial.purpose == "training")).one()
        assert len(trial.readings) >= 2 and trial.readings[-1].answers["findings"]["line"] == "both"
