"""Arms of different native size fill the same place on the screen, fitted and at 1:1; their pixels stay as stored."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Page, expect

from db.models import Image, Pair, Trial
from services.displayed import size_warning
from services.study_views import study_view
from services.workspace import Workspace, open_workspace
from tests.browser.reading import at_case, finish_case, seated
from tests.browser.server import Server
from tests.browser.studies import add_reader, make_study
from tests.browser.test_reading_room import shown_pixels

WHOLE, SMALL = (96, 80), (24, 20)  # rows, columns


def bright(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A pair whose every pixel can be told from the black around it."""
    picture = np.full(size, 200, np.uint8)
    picture[::2, ::2] = 120
    return picture, picture // 2 + 90


@pytest.fixture
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Workspace]]:
    folder = tmp_path_factory.mktemp("sizes") / "workspace"
    workspace = open_workspace(folder)
    study = make_study(workspace, [bright(WHOLE), bright(SMALL)])
    with workspace.session() as session:
        session.execute(sa.update(Image).values(width=WHOLE[1], height=WHOLE[0]))
    assert "v3 − 20 × 24" in size_warning(workspace, study_view(workspace, study))
    add_reader(workspace, study)
    with Server(folder, worker=False) as server:
        yield server, workspace
    workspace.engine.dispose()


def extent(page: Page) -> tuple[int, int]:
    """Rows and columns of the pane that hold the picture."""
    page.wait_for_timeout(150)
    seen = shown_pixels(page, "A") > 40
    return int(seen.any(axis=1).sum()), int(seen.any(axis=0).sum())


def look(page: Page) -> tuple[tuple[int, int], tuple[int, int], str, str]:
    """Extent fitted and at 1:1, and what the pane says of both."""
    readout = page.locator("[data-pane=A] .readout")
    fitted, said = extent(page), readout.inner_text()
    page.keyboard.press("f")
    true, said_true = extent(page), readout.inner_text()
    expect(page.locator("[data-pane=A] .readout")).to_contain_text("100 %")
    return fitted, true, said.split(" · ")[-1], said_true.split(" · ")[-1]


def test_two_arms_have_one_size(room: tuple[Server, Workspace], context: BrowserContext) -> None:
    server, workspace = room
    page = seated(context, server, "reader.one")
    at_case(page, 1)
    first = look(page)
    finish_case(page)
    at_case(page, 2)
    second = look(page)
    assert first == second and first[1] == WHOLE
    with workspace.session() as session:
        pairs = session.execute(sa.select(Pair.width, Trial.token).join(Trial, Trial.pair_id == Pair.id)).tuples().all()
    series = page.url.split("series=")[1]
    for width, token in pairs:
        told = page.request.get(f"{server.url}/read/{series}/case/{token}").json()["pixels"]
        assert told["display"] == {"width": WHOLE[1], "height": WHOLE[0]} and told["width"] == width
        assert len(page.request.get(f"{server.url}{told['urls']['A']}").body()) == width * told["height"]
