"""A reader answers every kind of question once by keyboard and once by mouse and touch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from cfcore.study.questions import (
    Choice,
    Condition,
    Confidence,
    ForcedChoice,
    FreeText,
    Likert,
    Mark,
    Number,
    Presence,
    SameDifferent,
    Sides,
    VisualAnalogue,
    to_data,
)
from db.models import Study, Trial
from services import elicitation
from services.workspace import Workspace, open_workspace
from tests.browser.pages import profile
from tests.browser.reading import at_case, latest_answers, saved, seated, sign_in, tap
from tests.browser.server import Server
from tests.browser.studies import add_reader, make_study, noise_pairs

QUESTIONS = (
    Sides(key="lines", text="New lines"),
    ForcedChoice(key="real", text="Which one is real?", right="original"),
    SameDifferent(key="person", text="Same person?"),
    FreeText(key="why", text="Why not?", only_if=Condition("person", ("different",))),
    Choice(key="lobe", text="Which lobe?", options=("upper", "lower")),
    Likert(key="quality", text="Image quality", points=7),
    VisualAnalogue(key="change", text="How much differs?"),
    Number(key="width", text="Heart width", unit="mm", low=-5, high=300, decimals=1),
    Mark(key="spot", text="Where?", shape="point", most=2),
    Mark(key="area", text="Which region?", shape="box"),
    Mark(key="rim", text="Outline it", shape="polygon"),
    Confidence(key="sure", text="How sure?"),
    Presence(key="device", text="A device was there", ask="series"),
)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Workspace]]:
    folder = tmp_path_factory.mktemp("questions") / "workspace"
    workspace = open_workspace(folder)
    study_id = make_study(workspace, noise_pairs(3))
    with workspace.session() as session:
        study = session.get_one(Study, study_id)
        study.protocol = {**study.protocol, "ratings": [], "questions": [to_data(q) for q in QUESTIONS]}
    for name in ("one", "two"):
        add_reader(workspace, study_id, f"reader.{name}", name)
    with workspace.session() as session:
        # As in a schedule whose first arm has one case: then comes what is asked about the series.
        for trial in session.query(Trial).filter(Trial.position == 1):
            trial.purpose = "series"
    with Server(folder, worker=False) as server:
        yield server, workspace
    workspace.engine.dispose()


def row(page: Page, key: str):  # type: ignore[no-untyped-def]
    return page.locator(f'.row[data-key="{key}"]')


def test_every_kind_by_keyboard(room: tuple[Server, Workspace], context: BrowserContext) -> None:
    server, workspace = room
    told: list[str] = []
    context.on("response", lambda r: told.append(r.text()) if "/case/" in r.url and r.status == 200 else None)
    page = seated(context, server, "reader.one")
    press = page.keyboard.press
    for key in ("a", "4", "n", "2", "q"):  # three findings; how sure of the first two
        press(key)
    for key in ("x", "b", "d"):
        press(key)
    expect(row(page, "why")).to_be_visible()
    press("ArrowRight")
    page.keyboard.type("the ribs 🫁 العربية")
    press("Escape")
    for key in ("ArrowDown", "2", "6", "ArrowRight", "ArrowRight", "PageUp", "ArrowDown"):
        press(key)
    page.keyboard.type("12,5")
    press("Enter")
    # Two points: one in A's middle moved right, one in B.
    for key in ("d", "ArrowRight", "Enter", "Tab", "ArrowDown", "Enter"):
        press(key)
    for key in ("d", "ArrowLeft", "Enter", "ArrowDown", "ArrowLeft", "Enter"):
        press(key)
    for key in ("d", "ArrowUp", "Enter", "ArrowRight", "ArrowRight", "Enter", "ArrowDown", "ArrowDown", "Enter"):
        press(key)
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft", "ArrowLeft", "Enter"):  # back to the first corner
        press(key)
    expect(row(page, "rim")).to_contain_text("A: 1")
    press("Enter")
    at_case(page, 2)
    saved(page)
    given = latest_answers(workspace, "R1")[0]
    assert given["complete"]
    assert given["answers"]["findings"] == {"line": "A", "shadow": "neither", "rib": "cannot"}
    assert given["answers"]["questions"] | {"spot": 0, "area": 0, "rim": 0} == {
        "lines": "both", "real": "B", "person": "different", "why": "the ribs 🫁 العربية", "lobe": "lower",
        "quality": 6, "change": 61, "width": 12.5, "spot": 0, "area": 0, "rim": 0, "sure": {"line": 4, "shadow": 2},
    }  # fmt: skip
    # The pictures are 80 x 96: a step of the cross is 2.4 pixels.
    answers = given["answers"]["questions"]
    assert answers["spot"] == [{"side": "A", "points": [[42.4, 48]]}, {"side": "B", "points": [[42.4, 50.4]]}]
    assert answers["area"] == [{"side": "A", "points": [[35.2, 48], [37.6, 50.4]]}]
    assert answers["rim"] == [{"side": "A", "points": [[40, 45.6], [44.8, 45.6], [44.8, 50.4]]}]
    assert told
    for body in told:
        assert '"right' not in body and "original" not in body and "counterfactual" not in body

    press("Backspace")
    at_case(page, 1)
    expect(row(page, "why").locator("textarea")).to_have_value("the ribs 🫁 العربية")
    expect(row(page, "change").get_by_role("slider")).to_have_attribute("aria-valuenow", "61")
    expect(row(page, "spot")).to_contain_text("A: 1 · B: 1")


def test_every_kind_by_touch_and_after_a_series(room: tuple[Server, Workspace], browser: Browser) -> None:
    server, workspace = room
    tablet = profile(browser, viewport={"width": 1280, "height": 900}, has_touch=True, is_mobile=True)
    page = seated(tablet, server, "reader.two")
    for label in ("Line or tube: in neither", "Round shadow: in neither", "Rib out of place: in neither"):
        tap(page.get_by_label(label))
    tap(page.get_by_label("Line or tube, How sure?: 5 of 5"))
    tap(page.get_by_label("New lines: only in A"))
    tap(page.get_by_label("Which one is real?: A"))
    tap(page.get_by_label("Same person?: different"))
    row(page, "why").locator("textarea").fill("rib")
    tap(page.get_by_label("Same person?: the same"))
    expect(row(page, "why")).to_be_hidden()
    tap(page.get_by_label("Which lobe?: upper"))
    tap(page.get_by_label("Image quality: 3 of 7"))
    line = row(page, "change").get_by_role("slider")
    line.scroll_into_view_if_needed()
    box = line.bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    row(page, "width").locator("input").fill("999")
    expect(row(page, "width")).to_contain_text("Not taken")
    row(page, "width").locator("input").fill("-3")
    tap(page.get_by_role("button", name="Nothing to mark").nth(0))
    tap(page.get_by_role("button", name="Draw boxes"))
    draw_box(page)
    outline = page.get_by_role("button", name="Draw outlines")
    tap(outline)
    expect(outline).to_have_attribute("aria-pressed", "true")
    pane = page.locator("[data-pane=B]").bounding_box()
    assert pane is not None
    for x, y in ((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.4)):
        page.mouse.click(pane["x"] + pane["width"] * x, pane["y"] + pane["height"] * y)
    expect(row(page, "rim")).to_contain_text("B: 1")
    small = page.evaluate(
        """() => [...document.querySelector('#cfreader-reading-room').shadowRoot.querySelectorAll('.row button')]
            .filter((b) => b.offsetParent && Math.min(b.offsetHeight, b.offsetWidth) < 40).map((b) => b.textContent)"""
    )
    assert small == [], "touch targets of less than 40 px"
    tap(page.get_by_role("button", name="Next case"))
    at_case(page, 2)
    saved(page)
    given = latest_answers(workspace, "R2")[0]
    answers = given["answers"]["questions"]
    assert given["complete"] and "why" not in answers
    assert answers["change"] in range(23, 28) and answers["width"] == -3 and answers["spot"] == []
    assert answers["sure"] == {"line": 5} and answers["rim"][0]["side"] == "B" and len(answers["rim"][0]["points"]) == 3
    assert [p["side"] for p in answers["area"]] == ["A"]

    # The second case is what comes after a series: questions without any picture.
    expect(page.get_by_text("About the series you have just read")).to_be_visible()
    tap(page.get_by_label("A device was there: present"))
    saved(page)
    assert latest_answers(workspace, "R2")[-1]["answers"]["questions"] == {"device": "present"}
    tablet.close()


def draw_box(page: Page) -> None:
    """One finger from corner to corner on the left image."""
    pane = page.locator("[data-pane=A]").bounding_box()
    assert pane is not None
    places = [(pane["x"] + pane["width"] * f, pane["y"] + pane["height"] * f) for f in (0.4, 0.5, 0.6)]
    touch = page.context.new_cdp_session(page)
    for kind, at in (
        ("touchStart", places[:1]),
        ("touchMove", places[1:2]),
        ("touchMove", places[2:]),
        ("touchEnd", []),
    ):
        points = [{"x": x, "y": y} for x, y in at]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    expect(row(page, "area")).to_contain_text("A: 1")


def test_findings_are_proposed_and_confirmed_on_a_page_of_their_own(
    room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    server, workspace = room
    study = make_study(workspace, noise_pairs(2), seed=5)
    with workspace.session() as session:
        session.get_one(Study, study).state = "draft"
    elicitation.open_round(workspace, study, actor="test", n_pairs=1)
    elicitation.invite_to_round(workspace, study, "reader.one", "One", actor="test")
    page = context.new_page()
    sign_in(page, server, "reader.one")
    page.locator(".card").filter(has_text="Propose findings").get_by_role("button").click()
    expect(page.get_by_text("Example 1 of 1")).to_be_visible()
    page.get_by_label("Finding").first.fill("Pleural effusion")
    page.keyboard.press("Enter")
    page.keyboard.type("Pacemaker")
    page.reload()  # what was typed waits on this machine
    expect(page.get_by_label("Finding").nth(1)).to_have_value("Pacemaker")
    page.get_by_role("button", name="Send my list").click()
    expect(page.get_by_text("Your list is saved")).to_be_visible()

    found = elicitation.round_view(workspace, study)
    assert found is not None and [(p.label, p.kind) for p in found.proposals] == [
        ("Pleural effusion", "main"), ("Pacemaker", "secondary")
    ]  # fmt: skip
    merged = elicitation.suggested_merge(found)
    into: dict[int, str | None] = {i: finding.key for finding, ids in merged for i in ids}
    elicitation.merge(workspace, study, [finding for finding, _ in merged], into, actor="test")
    page.reload()
    page.get_by_role("button", name="I want a change").click()
    expect(page.get_by_text("Say what should change first.")).to_be_visible()
    page.get_by_role("button", name="I confirm this list").click()
    expect(page.get_by_text("You have confirmed this list.").first).to_be_visible()
    elicitation.finish_round(workspace, study, actor="test")
