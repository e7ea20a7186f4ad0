"""What the server refuses is shown in the reader's language, in the room and on the forms."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from components.reading_room.component import catalogues
from services.workspace import open_workspace
from tests.browser.server import Server
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs

VALUES = {"day": "2031-11-24", "name": "Linie", "number": 41, "most": 40, "read": 1, "cases": 2, "right": 1}


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("refusals") / "workspace"
    workspace = open_workspace(folder)
    add_reader(workspace, make_study(workspace, noise_pairs(2)))
    workspace.engine.dispose()
    with Server(folder) as running:
        yield running


def test_every_refusal_is_shown_in_german_with_its_values(server: Server, browser: Browser) -> None:
    """Each refusal in turn instead of the reading list, as the room gets it."""
    words = {
        key.removeprefix("refused."): text for key, text in catalogues()["de"].items() if key.startswith("refused.")
    }
    with browser.new_context(locale="de-DE") as context:
        page = context.new_page()
        page.goto(f"{server.url}/invite/cut-off")
        expect(page.get_by_role("heading", name="Dieser Link funktioniert nicht mehr")).to_be_visible()
        page.goto(f"{server.url}/auth/sign-in")
        page.get_by_label("Anmeldename").fill("reader.one")
        page.get_by_label("Passwort").fill(PASSWORD)
        page.get_by_role("button", name="Anmelden").click()
        expect(page.get_by_role("button", name="Beginnen")).to_be_visible()
        refused: dict[str, object] = {}
        page.route("**/read/list", lambda route: route.fulfill(status=423, json=refused))
        page.reload()
        for code, text in words.items():
            names = re.findall(r"\{(\w+)\}", text)
            refused |= {"error": "In English.", "code": code, "values": {name: VALUES.get(name, 7) for name in names}}
            page.get_by_role("button", name=catalogues()["de"]["try.again"]).click()
            shown = text.replace("{day}", "24. November 2031")
            for name in names:
                shown = shown.replace(f"{{{name}}}", str(VALUES.get(name, 7)))
            expect(page.get_by_role("alert")).to_have_text(re.compile("^" + re.escape(shown)))
        refused |= {"code": "never heard of"}
        page.get_by_role("button", name=catalogues()["de"]["try.again"]).click()
        expect(page.get_by_role("alert")).to_contain_text("423")
        assert "English" not in page.locator("body").inner_text()
