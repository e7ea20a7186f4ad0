"""medXGAN from a run to readers' results in a real browser, with the shipped weights: the same pages as every other
method."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Page, expect

from db.models import Run, Study
from services.importing import import_phantom
from services.studies import close_study
from services.workspace import Workspace, open_workspace
from tests.browser import journey
from tests.browser.journey import READERS, Way
from tests.browser.pages import SLOW, choose, open_run, press, settled, shot, type_in, visit
from tests.browser.server import Server

# Findings of the effusion checklist.
WAY = Way("medxgan", "Phantoms", lambda page, name: None, "Phantom effusion, VGG-16", "Effusion", 5, per_arm=1)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[tuple[Server, Workspace]]:
    folder = tmp_path / "workspace"
    workspace = open_workspace(folder)
    import_phantom(workspace, WAY.dataset, n=120, size=64, seed=5, pathology="effusion")
    server = Server(folder)
    try:
        yield server.start(timeout=240), workspace
    finally:
        server.stop()
        workspace.engine.dispose()


def start(page: Page) -> None:
    """A run of medXGAN on the Runs page."""
    visit(page, "Runs")
    press(page, "New run")
    expect(page.get_by_role("dialog")).to_be_visible()
    settled(page)
    choose(page, "Method", "medXGAN")
    choose(page, "Classifier", WAY.classifier)
    type_in(page, "Images to explain", "4")
    page.get_by_role("dialog").get_by_text("Search and rendering").click()
    type_in(page, "Images to rank directions on", "3")
    shot(page, "medxgan-runs-new")
    press(page, "Start")
    expect(page.get_by_role("dialog")).to_be_hidden(timeout=SLOW)
    open_run(page, "medXGAN")
    expect(page.get_by_text("of 4 images flipped, as shown")).to_be_visible(timeout=3 * SLOW)
    expect(page.get_by_role("heading", level=1)).to_contain_text("done", timeout=SLOW)
    settled(page)
    shot(page, "medxgan-runs")


@pytest.mark.timeout(900)
def test_medxgan_from_a_run_to_results(studio: tuple[Server, Workspace], context: BrowserContext) -> None:
    server, workspace = studio
    context.set_default_timeout(SLOW)
    page = context.new_page()
    journey.first_researcher(page, server)
    start(page)
    with workspace.session() as session:
        run = session.scalars(sa.select(Run)).one()
        assert (run.engine, run.state) == ("medxgan", "done")
    visit(page, "Explore")
    expect(page.locator(".explorer")).to_have_attribute("data-complete", "true", timeout=SLOW)
    slider = page.get_by_role("slider", name="Degree", exact=True)
    picture = page.get_by_role("img", name="Counterfactual")
    before = picture.evaluate("canvas => canvas.toDataURL()")
    slider.press("ArrowLeft")
    settled(page)
    assert picture.evaluate("canvas => canvas.toDataURL()") != before
    shot(page, "medxgan-explore")
    page.get_by_role("button", name="Directions", exact=True).press("Enter")
    expect(page.get_by_text("of 8 directions, each alone, make it Effusion at")).to_be_visible(timeout=SLOW)
    # Told a moment after the press: what is still on its way when a link is pressed would reach the next page.
    expect(page).to_have_url(re.compile("view=directions"))
    settled(page)
    shot(page, "medxgan-explore-directions")
    journey.design_study(page, WAY)
    with workspace.session() as session:
        arms = session.scalars(sa.select(Study)).one().protocol["arms"]
    assert arms and all(arm["name"].startswith("positive ") for arm in arms), arms
    assert context.browser is not None
    link = journey.invite(page, READERS[0])
    cases = journey.keys_of_cases(workspace, "R1", WAY.findings)
    journey.read_study(context.browser, link, cases, READERS[0], "medxgan-reading")
    with workspace.session() as session:
        study_id = session.scalars(sa.select(Study.id)).one()
    close_study(workspace, study_id, actor="test")
    page.reload()
    journey.open_results(page, WAY)
    expect(page.locator("table.heat").first.locator("thead th[scope=col]")).to_have_count(3)
    assert journey.cell(page, 0, 0).startswith("✓ 100 %")
    assert "Traceback" not in server.log, server.log
