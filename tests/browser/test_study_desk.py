"""In a browser: the form before the first case, a colleague's desk, and a chair who decides in the reading room."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, expect

from db.models import Account, Study
from services import study_members
from services.accounts import ensure_account
from services.adjudication import AdjudicatedDecision, adjudicated_decisions
from services.invitations import accept_invitation, invite_reader
from services.reader_profiles import reader_profiles, set_desk
from services.workspace import open_workspace
from tests.browser.journey import tell_profile
from tests.browser.pages import SLOW, shot
from tests.browser.reading import enter_room, sign_in
from tests.browser.server import Server
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs
from tests.services.test_adjudication import answer_all


@pytest.fixture
def server(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A study that waits for its reader, and a closed one on which two readers differ once."""
    workspace = open_workspace(tmp_path / "workspace")
    open_study = make_study(workspace, noise_pairs(2))
    set_desk(workspace, open_study, actor="test", ethics_number="EK 7/2026")
    ensure_account(workspace, "new.reader", "Dr. New", "reader", PASSWORD)
    invite_reader(workspace, open_study, "new.reader", "Dr. New", "test")
    disputed = make_study(workspace, noise_pairs(3), seed=3)
    for i in range(2):
        pair = 2 + 1  # the first of the second study's pairs
        answer_all(
            workspace, add_reader(workspace, disputed, f"r{i}", f"Dr. {i}"), {(pair, "line"): "both"} if i else {}
        )
    with workspace.session() as session:
        session.get_one(Study, disputed).state = "closed"
    for part in ("chair", "monitor"):
        link = study_members.invite_member(workspace, disputed, "prof", "Prof. Chair", part, "test")
        if link.startswith("/invite/"):
            accept_invitation(workspace, link.removeprefix("/invite/"), PASSWORD)
    workspace.engine.dispose()
    with Server(tmp_path / "workspace", worker=False) as running:
        yield running


def soon(look: Callable[[], list[AdjudicatedDecision]]) -> list[AdjudicatedDecision]:
    """What `look` finds once it finds something."""
    end = time.monotonic() + SLOW / 1000
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def test_a_reader_says_who_he_is_and_a_chair_decides(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    sign_in(page, server, "new.reader")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="Before the first case")).to_be_visible(timeout=SLOW)
    shot(page, "profile")
    tell_profile(page)
    enter_room(page)
    workspace = open_workspace(server.folder)
    assert reader_profiles(workspace, 1)["R1"].ethics_number == "EK 7/2026"
    context.clear_cookies()

    page = context.new_page()
    sign_in(page, server, "prof")
    expect(page.get_by_text("6 of 6 readings")).to_be_visible(timeout=SLOW)
    assert page.get_by_role("link", name="Studies", exact=True).count() == 0
    assert "v17" not in page.content() and "Eigenvectors" not in page.content()
    shot(page, "desk")
    page.goto(f"{server.url}/studies")
    expect(page.get_by_text("The studies in which you have a part.")).to_be_visible(timeout=SLOW)
    page.goto(f"{server.url}/read?adjudicate=2")
    expect(page.locator("[data-case]")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("1 × in both · 1 × in neither")).to_be_visible()
    assert page.get_by_text("Round shadow").count() == 0
    page.keyboard.press("n")
    page.get_by_role("textbox").first.fill("No line on the enlarged image.")
    page.get_by_role("textbox").first.press("Tab")
    expect(page.locator(".status")).to_contain_text("Saved", timeout=SLOW)
    shot(page, "adjudication")
    with workspace.session() as session:
        chair = session.scalars(sa.select(Account.id).where(Account.login == "prof")).one()
    # "Saved" may still speak of the key before the reason.
    found = soon(lambda: adjudicated_decisions(workspace, 2))
    assert chair and [(d.finding, d.place, d.reason) for d in found] == [
        ("line", "neither", "No line on the enlarged image.")
    ]
    workspace.engine.dispose()
