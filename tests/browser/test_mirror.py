"""A Mirror-CFE run on Explore: "show me this image at 70 %", what was intended and what came out, and out of reach."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from services.explore import open_engine
from services.intended import intended_along
from services.paths import moves_of, one_frame, scene
from services.workspace import Workspace, open_workspace
from tests.browser import journey
from tests.browser.pages import SLOW, settled, shot
from tests.browser.server import ROOT, Server
from tests.services import mirror_run

Ready = tuple[Server, Workspace, int, list[int], list[int]]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ready]:
    """A server that knows the small networks, and a run towards "bright"."""
    (tmp_path / "sitecustomize.py").write_text("from tests.services import mirror_run\nmirror_run.install()\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    mirror_run.install(monkeypatch)
    workspace = open_workspace(tmp_path / "workspace")
    run, dark, bright = mirror_run.mirror_run(workspace)
    server = Server(tmp_path / "workspace")
    try:
        yield server.start(timeout=240), workspace, run, dark, bright
    finally:
        server.stop()
        workspace.engine.dispose()


def steer(page: Page, degree: float) -> None:
    """To a degree, and wait for its picture."""
    page.locator("input.degree").fill(str(degree))
    expect(page.locator(".explorer")).to_have_attribute("data-degree", re.compile(f"^{degree:g}"), timeout=SLOW)
    expect(page.locator(".explorer")).not_to_have_class(re.compile("waiting|busy"), timeout=SLOW)


def words(share: float) -> str:
    """As the viewer says a share: what rounds to 0 or 100 % is told from them."""
    ends = {0.0: "<1 %", 1.0: ">99 %"}
    return ends.get(round(share, 2), f"{round(100 * share)} %") if 0 < share < 1 else f"{100 * share:.0f} %"


@pytest.mark.timeout(400)
def test_an_image_is_shown_at_a_wanted_probability(studio: Ready, context: BrowserContext) -> None:
    server, workspace, run, (image, *_), (bright, *_) = studio
    page = context.new_page()
    journey.first_researcher(page, server)
    page.goto(f"{server.url}/explore?run={run}&image={image}&rendering=plain&direction=mirror&degree=0.4")
    settled(page)
    point = page.locator(".explorer .point")
    expect(point).to_contain_text("SFE", timeout=SLOW)
    expect(point).to_contain_text("k = 0.4")
    expect(page.get_by_label("Mix")).to_be_hidden()
    expect(page.get_by_role("button", name="Directions")).to_be_hidden()

    page.get_by_role("button", name="confidence").click()
    expect(page.get_by_text("Wanted probability of bright")).to_be_visible(timeout=SLOW)
    steer(page, 0.7)
    seen = scene(workspace, run, image, "plain")
    told = intended_along(seen, "confidence", 0.7)
    k = told.k[told.degrees.index(0.7)]
    drawn = one_frame(seen, moves_of(("confidence", 0.7)))
    expect(point).to_contain_text("CFE")
    expect(point).to_contain_text(f"k = {round(k, 3):g}")
    expect(point).to_contain_text("Intended: 70 %")
    expect(point).to_contain_text(f"Predicted: {words(drawn.probability)}")
    expect(page.locator(".short")).to_be_hidden()
    expect(page.locator(".curve polyline")).to_have_count(2)
    expect(page).to_have_url(re.compile("direction=confidence"), timeout=SLOW)
    shot(page, "explore-mirror")

    steer(page, 1)
    expect(page.locator(".short")).to_contain_text("100 % is out of reach. This image can be shown from")
    expect(point).to_contain_text("Reflection")

    page.goto(f"{server.url}/explore?run={run}&image={bright}&rendering=plain&direction=confidence&degree=0.2")
    expect(page.locator(".short")).to_contain_text("calls this image bright already", timeout=SLOW)
    expect(point).to_contain_text("Unchanged")
    assert open_engine(workspace, run).target_name == "bright"
