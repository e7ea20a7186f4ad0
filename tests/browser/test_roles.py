"""A reader reaches nothing but the own reading list, also by a page's bare address as the first thing a server sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from services.accounts import ensure_account
from services.workspace import open_workspace
from tests.browser.reading import sign_in
from tests.browser.server import Server
from tests.browser.studies import PASSWORD

RESEARCHER_PAGES = ("home", "data", "models", "explore", "runs", "studies", "results", "notebook")


@pytest.fixture
def server(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A server that has shown no page yet, with a reader's account."""
    workspace = open_workspace(tmp_path / "workspace")
    ensure_account(workspace, "reader", "Dr Reader", "reader", PASSWORD)
    workspace.engine.dispose()
    with Server(tmp_path / "workspace", worker=False) as running:
        yield running


def test_bare_addresses_show_a_reader_nothing_of_the_researchers(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{server.url}/results")
    assert "/auth/sign-in" in page.url
    # The cookie alone, without any page of the studio: the form's answer is not followed.
    answer = context.request.post(
        f"{server.url}/auth/sign-in",
        form={"login": "reader", "password": PASSWORD},
        headers={"Origin": server.url},
        max_redirects=0,
    )
    assert answer.status == 303
    for name in ("results", "data"):
        page.goto(f"{server.url}/{name}")
        expect(page.get_by_text("Dr Reader")).to_be_visible()
        for other in RESEARCHER_PAGES:
            assert page.get_by_role("link", name=other.capitalize(), exact=True).count() == 0
        assert page.get_by_role("heading", name=name.capitalize()).count() == 0


def test_a_reader_lands_on_the_reading_list(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    sign_in(page, server, "reader")
    expect(page.get_by_text("Reading list")).to_be_visible()
