"""The reading room's views and tools, by keyboard, mouse and fingers; the screen check; languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from components.reading_room.component import FOLDER
from db.models import Study
from services.sittings import screens
from services.viewing_log import KINDS, viewing_log
from services.workspace import Workspace, open_workspace
from tests.browser.pages import profile
from tests.browser.reading import at_case, latest_answers, open_room, seated, sign_in, tap
from tests.browser.server import Server
from tests.browser.studies import add_reader, make_study, noise_pairs
from tests.browser.test_reading_room import shown_pixels

EVERY_VIEW = ["side", "single", "flicker", "swipe", "difference"]


def hang(workspace: Workspace, study_id: int, **viewing: Any) -> None:
    """Give a study a hanging protocol of its own."""
    with workspace.session() as session:
        study = session.get_one(Study, study_id)
        study.protocol = {**study.protocol, "viewing": viewing}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Workspace]]:
    folder = tmp_path_factory.mktemp("views") / "workspace"
    workspace = open_workspace(folder)
    free = make_study(workspace, noise_pairs(2, white=4095), white=4095)
    hang(workspace, free, views=EVERY_VIEW)
    strict = make_study(workspace, noise_pairs(2), seed=1)
    hang(workspace, strict, views=["side"], measuring=False, language="de", preset="inverted", screen_check=False)
    for number in ("one", "two", "three", "four"):
        add_reader(workspace, free, f"reader.{number}", f"Dr. {number.capitalize()}")
    add_reader(workspace, strict, "reader.strict", "Dr. Strict")
    with Server(folder, worker=False) as server:
        yield server, workspace
    workspace.engine.dispose()


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up()


def box_of(page: Page, pane: str = "A") -> dict[str, float]:
    box = page.locator(f"[data-pane={pane}]").bounding_box()
    assert box is not None
    return dict(box)  # type: ignore[arg-type]


def test_the_screen_is_checked_once_a_session_and_what_was_seen_is_kept(
    room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    server, workspace = room
    page = context.new_page()
    sign_in(page, server, "reader.one")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("button", name="Start reading")).to_be_disabled()
    for ask in page.locator(".check .ask").all():
        right = ask.get_attribute("data-right")
        ask.locator(f"[data-value={'none' if ask.get_attribute('data-name') == 'dark' else right}]").click()
    expect(page.get_by_role("alert")).to_contain_text("Raise its brightness")
    page.get_by_role("button", name="Go on all the same").click()
    at_case(page, 1)
    page.reload()
    at_case(page, 1)
    (kept,) = [s for s in screens(workspace, 1) if s.reader == "R1"]
    assert kept.seen == {"dark": False, "bright": True, "ramp": True, "lines": True} and not kept.passed
    assert "Chrom" in kept.screen["browser"] and kept.screen["inner_width"] == 1440 and kept.screen["ratio"] == 1


def test_every_view_shows_what_it_says(room: tuple[Server, Workspace], context: BrowserContext) -> None:
    server, _ = room
    page = seated(context, server, "reader.two")
    letter, other = page.locator("[data-pane=A] .letter"), page.locator("[data-pane=B]")
    page.keyboard.press("t")
    expect(other).to_be_hidden()
    expect(letter).to_have_text("A")
    single = {"A": shown_pixels(page, "A")}
    page.keyboard.press("Space")
    expect(letter).to_have_text("B")
    single["B"] = shown_pixels(page, "A")
    assert not np.array_equal(single["A"], single["B"])

    page.get_by_role("button", name="Flicker", exact=True).click()
    for text in ("A", "B", "A"):
        expect(letter).to_have_text(text)
    page.keyboard.press("Space")
    held = letter.inner_text()
    page.wait_for_timeout(1200)
    assert letter.inner_text() == held

    page.keyboard.press("t")
    expect(letter).to_have_text("A | B")
    swiped = shown_pixels(page, "A")
    half = swiped.shape[1] // 2
    assert np.array_equal(swiped[:, : half - 2], single["A"][:, : half - 2])
    assert np.array_equal(swiped[:, half + 2 :], single["B"][:, half + 2 :])
    slider = page.get_by_role("slider", name="Divider between A and B")
    box = box_of(page)
    drag(page, (box["x"] + box["width"] / 2, box["y"] + 200), (box["x"] + box["width"] * 0.8, box["y"] + 200))
    expect(slider).to_have_attribute("aria-valuenow", "80")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuenow", "78")

    page.get_by_role("button", name="Difference", exact=True).click()
    expect(letter).to_have_text("B − A")
    page.keyboard.press("r")
    expect(letter).to_have_text("B − A")
    page.get_by_role("button", name="Side by side", exact=True).click()
    expect(other).to_be_visible()


def test_one_to_one_shows_each_pixel_once_and_the_magnifier_leaves_the_picture_alone(
    room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    server, _ = room
    page = seated(context, server, "reader.two")
    page.keyboard.press("Shift+Digit5")
    page.keyboard.press("f")
    expect(page.locator("[data-pane=A] .readout")).to_contain_text("100 %")
    seen = shown_pixels(page, "A")
    rows, columns = np.nonzero(seen)
    shown = seen[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert shown.shape == (96, 80)
    page.keyboard.press("z")
    box = box_of(page)
    page.mouse.move(box["x"] + 150, box["y"] + 200)
    assert np.array_equal(shown_pixels(page, "A"), seen)
    drawn = page.evaluate(
        """() => {
            const room = document.querySelector('#cfreader-reading-room').shadowRoot;
            const over = room.querySelector('[data-pane=B] .over');
            return over.getContext('2d').getImageData(0, 0, over.width, over.height).data.some((v) => v > 0);
        }"""
    )
    assert drawn  # the glass hangs over the same place of the other image
    page.keyboard.press("f")
    expect(page.locator("[data-pane=A] .readout")).not_to_contain_text("100 %")


def test_a_ratio_is_measured_kept_and_taken_back(room: tuple[Server, Workspace], context: BrowserContext) -> None:
    server, workspace = room
    page = seated(context, server, "reader.three")
    page.keyboard.press("b")
    page.get_by_role("button", name="Measure the heart-to-chest ratio").click()
    expect(page.get_by_text("Heart: drag a line")).to_be_visible()
    box = box_of(page)
    middle, height = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    drag(page, (middle - 60, height), (middle + 60, height))
    expect(page.get_by_text("Chest: drag a line")).to_be_visible()
    drag(page, (middle - 120, height + 40), (middle + 120, height + 40))
    expect(page.get_by_text("Drag an end to correct it")).to_be_visible()
    expect(page.locator(".status")).to_contain_text("Saved")
    page.keyboard.press("Escape")

    def stored() -> dict[str, Any]:
        from db.models import Reading, StudyReader, Trial

        with workspace.session() as session:
            row = session.query(Reading).join(Trial).join(StudyReader).filter_by(label="R3")
            return dict(row.order_by(Reading.id.desc()).first().measures)

    page.wait_for_timeout(300)
    assert stored()["A"]["ratio"] == pytest.approx(0.5, abs=0.02)
    page.reload()
    at_case(page, 1)
    page.keyboard.press("a")
    page.keyboard.press("Control+z")
    expect(page.get_by_label("Line or tube: only in B")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".status.saved")).to_contain_text("Saved")
    page.wait_for_timeout(300)
    assert stored()["A"]["ratio"] == pytest.approx(0.5, abs=0.02)
    assert latest_answers(workspace, "R3")[0]["answers"]["findings"]["line"] == "B"


def test_what_was_done_with_the_images_is_logged(room: tuple[Server, Workspace], context: BrowserContext) -> None:
    server, workspace = room
    page = seated(context, server, "reader.four")
    for key in ("i", "+", "t", "z", "e", "r"):
        page.keyboard.press(key)
        page.wait_for_timeout(500)
    with page.expect_response("**/read/log"):
        page.get_by_role("button", name="List").click()
    found = [e for e in viewing_log(workspace, 1) if e.reader == "R4"]
    kinds = [e.kind for e in found]
    assert kinds[0] == "shown" and kinds[-1] == "left" and set(kinds) <= KINDS
    assert {"window", "zoom", "view", "magnifier", "exact", "reset"} <= set(kinds)
    assert [e.number for e in found] == list(range(1, len(found) + 1))
    assert [e.seconds for e in found] == sorted(e.seconds for e in found)
    (view,) = [e.value for e in found if e.kind == "view"]
    assert view == {"view": "single"}


def test_the_study_s_own_rules_hold(room: tuple[Server, Workspace], context: BrowserContext) -> None:
    """Only side by side, no flicker, no measuring, German whatever the browser says, and inverted at first."""
    server, _ = room
    page = context.new_page()
    sign_in(page, server, "reader.strict")
    page.get_by_role("button", name="Start").click()
    at_case(page, 1)
    expect(page.get_by_role("button", name="Nächster Fall")).to_be_visible()
    expect(page.locator("[data-pane=A] .readout")).to_contain_text("Invertiert")
    for name in ("Einzeln", "Schieber", "A und B am Platz tauschen", "Herz-Thorax-Quotient messen"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.keyboard.press("t")
    page.keyboard.press("Space")
    page.keyboard.press("l")
    page.wait_for_timeout(150)
    expect(page.locator("[data-pane=A] .letter")).to_have_text("A")
    expect(page.locator("[data-pane=B]")).to_be_visible()
    expect(page.locator(".measuring")).to_be_hidden()
    page.keyboard.press("h")
    expect(page.get_by_role("dialog", name="Tasten und Einstellungen")).to_be_visible()
    expect(page.locator(".help .tongue")).to_have_count(0)
    page.get_by_role("button", name="Schließen").click()
    page.get_by_role("button", name="Liste").click()
    expect(page.get_by_text("Reading list")).to_be_visible()  # outside the study it is the reader's own choice again


def test_a_reader_chooses_the_language_and_keeps_it(room: tuple[Server, Workspace], context: BrowserContext) -> None:
    server, _ = room
    page = context.new_page()
    sign_in(page, server, "reader.four")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_text("Befundungsliste")).to_be_visible()
    page.reload()
    page.get_by_role("button", name=re.compile("Beginnen|Fortsetzen")).first.click()
    expect(page.get_by_text("Vor dem Beginn")).to_be_visible()
    for ask in page.locator(".check .ask").all():
        ask.locator(f"[data-value={ask.get_attribute('data-right')}]").click()
    page.get_by_role("button", name="Befundung beginnen").click()
    at_case(page, 1)
    expect(page.get_by_text("Welche Befunde sehen Sie?")).to_be_visible()
    page.keyboard.press("h")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_text("Which findings do you see?")).to_be_visible()


def test_two_fingers_zoom_and_a_tap_answers(room: tuple[Server, Workspace], context: BrowserContext) -> None:
    server, _ = room
    assert context.browser is not None
    tablet = profile(context.browser, viewport={"width": 1180, "height": 820}, has_touch=True)
    page = tablet.new_page()
    sign_in(page, server, "reader.two")
    open_room(page)
    readout = page.locator("[data-pane=A] .readout")
    start = readout.inner_text()
    box = box_of(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    fingers = tablet.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", (x - 40, y), (x + 40, y))
    touch("touchMove", (x - 80, y), (x + 80, y))
    touch("touchMove", (x - 120, y), (x + 120, y))
    touch("touchEnd")
    before = int(re.findall(r"(\d+) %", start)[0])
    # Drawn move by move: the first alone doubles it.
    page.wait_for_function(
        "([pane, most]) => parseInt(pane.innerText.match(/(\\d+) %/)[1]) > most",
        arg=[readout.element_handle(), 2 * before],
    )
    assert int(re.findall(r"(\d+) %", readout.inner_text())[0]) < 4 * before
    tap(page.get_by_label("Round shadow: in both"))
    expect(page.locator(".status")).to_contain_text("Saved")
    expect(page.get_by_label("Round shadow: in both")).to_have_attribute("aria-pressed", "true")
    tablet.close()


def test_idle_and_hidden_time_does_not_count_and_a_break_is_proposed(context: BrowserContext) -> None:
    """The clock of readingtime.js under a clock of ours: no server, no waiting."""
    source = (FOLDER / "js" / "readingtime.js").read_text(encoding="utf-8")
    page = context.new_page()
    found = page.evaluate(
        """(source) => {
            const fake = { now: 0, hidden: false, stir: null };
            const make = new Function('performance', 'document', 'window', `${source}; return makeReadingClock;`)(
                { now: () => fake.now * 1000 }, { get hidden() { return fake.hidden; } },
                { addEventListener: (name, heard) => (fake.stir = heard), removeEventListener() {} });
            const clock = make(60, 45);
            const read = [];
            clock.start({ seconds: 5, idle: 0 });
            fake.now = 20; read.push(clock.read());                       // 20 s of looking, nothing touched
            fake.now = 100; read.push(clock.read());                      // 100 s without a sign: 60 count
            fake.stir(); fake.now = 110; read.push(clock.read());         // back: 10 more
            fake.hidden = true; clock.hide(); fake.now = 500; read.push(clock.read());
            fake.hidden = false; clock.back(); fake.now = 507; read.push(clock.read());
            clock.pause(); fake.now = 600; read.push(clock.read());
            const due = [clock.breakDue()];                               // the absence was a break
            for (; fake.now < 600 + 46 * 60; fake.now += 30) fake.stir();
            due.push(clock.breakDue(), clock.breakDue());
            return { read, due };
        }""",
        source,
    )
    assert [(r["seconds"], r["idle"]) for r in found["read"]] == [
        (25, 0),
        (65, 40),
        (75, 40),
        (75, 40),
        (82, 40),
        (82, 40),
    ]
    assert found["due"][0] == 0 and found["due"][1] >= 45 and found["due"][2] == 0
