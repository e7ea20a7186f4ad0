"""The whole way of a study in the browser, step by step, as researcher and readers go it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from playwright.sync_api import Browser, Download, Page, expect

from db.models import Pair, Study, StudyReader, Trial
from services.workspace import Workspace
from tests.browser.pages import (
    SLOW,
    button,
    choose,
    open_run,
    pick,
    press,
    profile,
    settled,
    shot,
    tick,
    type_in,
    visit,
)
from tests.browser.reading import at_case, enter_room
from tests.browser.server import Server

PASSWORD = "a long enough password"
NOTE = "The lower zones whiten."
READERS = ("Dr. Adler", "Dr. Brandt", "Dr. Celan")


@dataclass(frozen=True)
class Way:
    """What differs between two journeys.

    bring: brings the images in on the Data page, as data set `dataset`.
    target: class that images are moved to. findings: on the checklist that fits it.
    """

    name: str
    dataset: str
    bring: Callable[[Page, str], None]
    classifier: str
    target: str
    findings: int
    per_arm: int = 10


def first_researcher(page: Page, server: Server) -> None:
    """The link that a new server prints sets the researcher's password."""
    found = re.search(r"/invite/\S+", server.log)
    assert found, f"no first link in:\n{server.log}"
    page.goto(server.url + found[0])
    set_password(page, "open the studio")
    expect(page.get_by_role("heading", level=1)).to_contain_text("changes its mind", timeout=SLOW)
    settled(page)


def set_password(page: Page, then: str) -> None:
    """On the form behind an invitation."""
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, once more").fill(PASSWORD)
    page.get_by_role("button", name=f"Set password and {then}").click()


def start_eigenfind(page: Page, way: Way) -> None:
    """On the Runs page, with the shipped models; the worker process does it while the page looks on."""
    visit(page, "Runs")
    press(page, "New run")
    expect(page.get_by_role("dialog")).to_be_visible()
    settled(page)
    choose(page, "Data set", way.dataset)
    choose(page, "Classifier", way.classifier)
    type_in(page, "Images to explain", "12")
    page.get_by_role("dialog").get_by_text("Search and rendering").click()
    type_in(page, "scan", "8")
    shot(page, f"{way.name}-runs-new")
    press(page, "Start")
    expect(page.get_by_role("dialog")).to_be_hidden(timeout=SLOW)
    open_run(page, "EigenFind")
    expect(page.get_by_text("of 12 images flipped, as shown")).to_be_visible(timeout=3 * SLOW)
    expect(page.get_by_role("heading", level=1)).to_contain_text("done", timeout=SLOW)
    settled(page)
    shot(page, f"{way.name}-runs")


def degree_of(page: Page) -> float:
    """The degree that Explore shows, as its address says."""
    found = re.search(r"[?&]degree=(-?[\d.]+)", page.url)
    assert found, page.url
    return float(found[1])


def explore_and_keep(page: Page, way: Way) -> None:
    """Move the slider with the keyboard, keep what is seen."""
    visit(page, "Explore")
    viewer = page.locator(".explorer")
    expect(viewer).to_have_attribute("data-complete", "true", timeout=SLOW)
    picture = page.get_by_role("img", name="Counterfactual")
    before = picture.evaluate("canvas => canvas.toDataURL()")
    start = float(viewer.get_attribute("data-degree") or "nan")
    slider = page.get_by_role("slider", name="Degree", exact=True)
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    expect(page).to_have_url(re.compile(rf"degree={start + 1:g}(&|$)"), timeout=SLOW)
    settled(page)
    assert degree_of(page) > start
    assert picture.evaluate("canvas => canvas.toDataURL()") != before
    expect(page.get_by_role("img", name=re.compile("^Probability of"))).to_be_visible()
    shot(page, f"{way.name}-explore")
    press(page, "Keep in notebook")
    type_in(page, "Title", "A first look")
    type_in(page, "Note (Markdown)", NOTE)
    button(page, "Keep").click()
    expect(page.get_by_text("Kept in the notebook.")).to_be_visible(timeout=SLOW)


def design_study(page: Page, way: Way) -> None:
    """Three eigenvectors, pairs, a look at them, the lock."""
    visit(page, "Studies")
    press(page, "New study")
    type_in(page, "Title, for researchers", f"{way.target}, first reading")
    press(page, "Create draft")
    expect(page.get_by_role("heading", level=1)).to_contain_text("first reading", timeout=SLOW)
    settled(page)
    shot(page, f"{way.name}-studies-questions")
    pick(page, "2 Images and arms")
    expect(page.get_by_test_id("stMultiSelect").get_by_role("button")).not_to_have_count(0)
    if way.per_arm != 10:
        type_in(page, "Pairs per arm", str(way.per_arm))
    n = 3 * way.per_arm
    expect(page.get_by_text(f"{n} pairs of {n} patients")).to_be_visible()
    press(page, "Make pairs")
    expect(page.get_by_role("heading", name=f"{n} pairs")).to_be_visible(timeout=SLOW)
    settled(page)
    shot(page, f"{way.name}-studies-design")
    pick(page, "3 Preview")
    expect(page.get_by_text(f"Pair 1 of {n}")).to_be_visible(timeout=SLOW)
    press(page, "Next")
    expect(page.get_by_text(f"Pair 2 of {n}")).to_be_visible(timeout=SLOW)
    settled(page)
    shot(page, f"{way.name}-studies-preview")
    pick(page, "4 Lock")
    expect(page.get_by_text("Nothing is missing.")).to_be_visible(timeout=SLOW)
    shot(page, f"{way.name}-studies-lock")
    press(page, "Lock the study")
    expect(page.get_by_text("Invite a reader")).to_be_visible(timeout=SLOW)
    settled(page)


def invite(page: Page, name: str) -> str:
    """Step 5 of a study: the link that the researcher sends to a reader."""
    type_in(page, "Login, e.g. an e-mail address", f"{name.split()[-1].lower()}@example.org")
    type_in(page, "Name", name)
    press(page, "Make a link")
    expect(page.get_by_text(f"Send this link to {name}.")).to_be_visible(timeout=SLOW)
    settled(page)
    return page.get_by_test_id("stCode").inner_text().strip()


def keys_of_cases(workspace: Workspace, label: str, findings: int) -> list[str]:
    """For each case of reader `label`, in order, the keys of the answers.

    Under the first arm everybody sees the first finding appear; under the second, two of three readers the second;
    under the third, R1 sees the first finding on both sides, R2 sees it vanish, and R3 cannot tell.
    """
    with workspace.session() as session:
        arms = [arm["key"] for arm in session.scalars(sa.select(Study)).one().protocol["arms"]]
        rows = session.execute(
            sa.select(Pair.arm, Trial.original_side)
            .join(Trial, Trial.pair_id == Pair.id)
            .join(StudyReader, Trial.study_reader_id == StudyReader.id)
            .where(StudyReader.label == label)
            .order_by(Trial.position)
        ).all()
    keys = []
    for arm, original in rows:
        before, after = ("a", "b") if original == "A" else ("b", "a")
        seen = ["n"] * findings
        place = arms.index(arm)
        if place == 0:
            seen[0] = after
        elif place == 1:
            seen[1] = "n" if label == "R3" else after
        else:
            seen[0] = {"R1": "x", "R2": before, "R3": "q"}[label]
        keys.append("".join(seen) + "45")
    return keys


def tell_profile(page: Page) -> None:
    """On the form before the first case."""
    page.get_by_label("Specialty").fill("Radiology")
    page.get_by_label("Years of experience with such images").fill("8")
    page.get_by_label("I agree").check()
    page.get_by_role("button", name="Go to the first case").click()


def read_study(browser: Browser, link: str, cases: list[str], name: str, look: str = "") -> None:
    """One reader: open the link, set a password, read every case with the keyboard. `look`: name of a screenshot."""
    context = profile(browser)
    page = context.new_page()
    page.goto(link)
    expect(page.get_by_role("heading", name=f"Welcome, {name}")).to_be_visible()
    set_password(page, "start reading")
    expect(page.get_by_text("Reading list")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Start").click()
    tell_profile(page)
    enter_room(page)
    for number, keys in enumerate(cases, start=1):
        at_case(page, number)
        for key in keys:
            page.keyboard.press(key)
        if look and number == 1:
            expect(page.locator(".status")).to_contain_text("Saved", timeout=SLOW)
            shot(page, look)
        page.keyboard.press("Enter")
    expect(page.get_by_text(f"All {len(cases)} cases are read")).to_be_visible(timeout=SLOW)
    # Whoever leaves earlier keeps the last answer waiting on the machine.
    expect(page.get_by_text(re.compile(r"^Everything is saved\."))).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("You may go back to any case")).to_be_visible(timeout=SLOW)
    context.close()


def cell(page: Page, finding: int, arm: int) -> str:
    """Text of the findings table at a row and a column, both from 0."""
    row = page.locator("table.heat").first.locator("tbody tr").nth(finding)
    return row.locator("td").nth(arm).inner_text()


def open_results(page: Page, way: Way) -> None:
    visit(page, "Results", f"{way.target}, first reading")
    # The readers' table; on phantoms the truth's comes below it when it is measured.
    expect(page.locator("table.heat").first).to_be_visible(timeout=SLOW)
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=SLOW)
    settled(page)
    shot(page, f"{way.name}-results")


def download(page: Page, label: str) -> bytes:
    """What a download button of the Export tab gives."""
    with page.expect_download(timeout=SLOW) as waiting:
        press(page, label)
    got: Download = waiting.value
    return got.path().read_bytes()


def write_report(page: Page) -> str:
    """Have the worker write the report, and take it away."""
    press(page, "Write the report")
    expect(page.get_by_role("button", name="Everything (ZIP)")).to_be_visible(timeout=6 * SLOW)
    settled(page)
    return download(page, "Report (HTML)").decode()


def import_by_path(path: str) -> Callable[[Page, str], None]:
    """Images that lie on the server."""

    def bring(page: Page, name: str) -> None:
        visit(page, "Data")
        tick(page, "A path on the server")
        type_in(page, "Folder, table or file on the server", path)
        type_in(page, "Name of the data set", name)
        press(page, "Import")
        expect(page.get_by_text(f"images imported as “{name}”.")).to_be_visible(timeout=3 * SLOW)
        settled(page)

    return bring


def make_phantoms(page: Page, name: str, n: int = 380, size: str = "128") -> None:
    """Images whose truth is known."""
    visit(page, "Data")
    pick(page, "Make phantoms")
    page.get_by_label("Images", exact=True).fill(str(n))
    choose(page, "Size in pixels", size)
    page.get_by_label("Name of the data set", exact=True).fill(name)
    press(page, "Make phantoms")
    # The worker makes them, which gives way to everything else on the machine.
    expect(page.get_by_text(f"{n} phantoms made as “{name}”.")).to_be_visible(timeout=3 * SLOW)
    settled(page)


def upload(page: Page, name: str, files: list[str]) -> None:
    """Files from the researcher's own computer."""
    visit(page, "Data")
    pick(page, "Import")
    page.get_by_test_id("stFileUploaderDropzone").locator("input[type=file]").set_input_files(files)
    expect(page.get_by_test_id("stFileChip").first).to_be_visible(timeout=SLOW)
    expect(page.get_by_test_id("stFileChipIconSpinner")).to_have_count(0, timeout=SLOW)
    settled(page)
    type_in(page, "Name of the data set", name)
    expect(button(page, "Import")).to_be_enabled(timeout=SLOW)
    settled(page)
    start = page.get_by_test_id("stMainBlockContainer").get_by_test_id("stBaseButton-primary")
    done = page.get_by_text(f"images imported as “{name}”.")
    start.click()
    try:
        expect(done).to_be_visible(timeout=20_000)
    except AssertionError:
        # A press that falls into a rerun can be lost; a person who sees nothing happen presses again.
        settled(page)
        if not done.is_visible() and page.get_by_text("you may leave this page").count() == 0:
            start.click()
    expect(done).to_be_visible(timeout=3 * SLOW)
    settled(page)
