"""What goes wrong at a reader's desk: two tabs, a cut in the middle of an answer, very long and foreign comments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Route, expect

from cfcore.study.protocol import Finding
from db.models import Reading, StudyReader, Trial
from services.answers import LONGEST_COMMENT
from services.workspace import Workspace, open_workspace
from tests.browser.reading import at_case, latest_answers, saved, seated
from tests.browser.server import Server
from tests.browser.studies import add_reader, make_study, noise_pairs

FOREIGN = (
    Finding("line", "Line or tube"),
    Finding("shadow", "תסנין בריאה 🫁"),
    Finding("rib", "كسر في الضلع", "secondary"),
)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Workspace]]:
    folder = tmp_path_factory.mktemp("trouble") / "workspace"
    workspace = open_workspace(folder)
    study = make_study(workspace, noise_pairs(2), findings=FOREIGN)
    for number in ("one", "two", "three"):
        add_reader(workspace, study, f"reader.{number}", f"Dr. {number.capitalize()}")
    with Server(folder, worker=False) as server:
        yield server, workspace
    workspace.engine.dispose()


def readings(workspace: Workspace, label: str) -> list[tuple[int, dict[str, str]]]:
    with workspace.session() as session:
        rows = session.execute(
            sa.select(Reading.sequence, Reading.answers)
            .join(Reading.trial)
            .join(Trial.study_reader)
            .where(StudyReader.label == label)
            .order_by(Reading.id)
        )
        return [(sequence, dict(answers["findings"])) for sequence, answers in rows]


def test_two_tabs_say_which_one_holds_the_case(room: tuple[Server, Workspace], context: BrowserContext) -> None:
    server, workspace = room
    first = seated(context, server, "reader.one")
    first.get_by_label("Line or tube: only in A").click()
    saved(first)
    second = context.new_page()
    second.goto(first.url)
    at_case(second, 1)
    expect(second.get_by_role("alert")).to_contain_text("Case 1 is open in another tab of this browser, opened at")
    expect(second.get_by_label("Line or tube: only in A")).to_have_attribute("aria-pressed", "true")
    expect(second.get_by_label("Line or tube: only in B")).to_be_disabled()
    first.get_by_label("Line or tube: in both").click()
    saved(first)

    first.keyboard.press("m")
    first.keyboard.type("seen in the first tab")  # still on its way when the other tab takes over
    second.get_by_role("button", name="Read it here").click()
    expect(first.get_by_role("alert")).to_contain_text("Case 1 has been taken over by another tab")
    expect(first.get_by_label("Line or tube: only in A")).to_be_disabled()
    expect(second.get_by_role("alert")).to_be_hidden()
    expect(second.get_by_label("Line or tube: in both")).to_have_attribute("aria-pressed", "true")
    expect(second.get_by_label("Comment (optional)")).to_have_value("seen in the first tab")
    second.get_by_label("Line or tube: only in B").click()
    saved(second)
    second.wait_for_timeout(300)
    rows = readings(workspace, "R1")
    assert [s for s, _ in rows] == list(range(1, len(rows) + 1))  # nothing doubled, nothing refused
    assert [f["line"] for _, f in rows] == ["A", "both", "both", "B"]
    assert latest_answers(workspace, "R1")[0]["answers"]["comment"] == "seen in the first tab"

    first.get_by_role("button", name="Read it here").click()
    expect(second.get_by_role("alert")).to_contain_text("taken over")
    expect(first.get_by_label("Line or tube: only in B")).to_have_attribute("aria-pressed", "true")
    # Another case is free for the other tab at any time; a closed tab holds nothing.
    first.close()
    second.reload()
    at_case(second, 1)
    expect(second.get_by_role("alert")).to_be_hidden()


def test_an_answer_whose_confirmation_is_cut_off_is_kept_once(
    room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    """The server has committed; the network dies before the browser hears of it."""
    server, workspace = room
    page = seated(context, server, "reader.two")
    cut = []

    def swallow(route: Route) -> None:
        if cut:
            return route.continue_()
        cut.append(route.fetch().status)
        return route.abort("connectionreset")

    page.route("**/read/answer", swallow)
    page.keyboard.press("a")
    expect(page.locator(".status")).to_contain_text("waiting to be sent")
    saved(page)
    assert cut == [200]
    assert readings(workspace, "R2") == [(1, {"line": "A"})]


def test_comments_of_any_length_and_script_are_kept_whole(
    room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    server, workspace = room
    page = seated(context, server, "reader.three")
    field = page.get_by_label("Comment (optional)")
    direction = "(node) => getComputedStyle(node).direction"
    for text, way in (("שלום, 🫁 תסנין", "rtl"), ("ظل في الرئة", "rtl"), ("Ein Schatten 👩‍⚕️", "ltr")):
        field.fill(text)
        assert field.evaluate(direction) == way
        saved(page)
    labels = page.locator(".finding .label")
    assert [label.evaluate(direction) for label in labels.all()] == ["ltr", "rtl", "rtl"]

    whole = "é😀" * (LONGEST_COMMENT // 3) + "."  # three UTF-16 units a time
    with page.expect_response("**/read/answer"):
        field.fill(whole)
    expect(page.locator(".comment-room")).to_contain_text(f"of {LONGEST_COMMENT} characters")
    saved(page)
    page.reload()
    at_case(page, 1)
    expect(field).to_have_value(whole)
    assert latest_answers(workspace, "R3")[0]["answers"]["comment"] == whole

    field.fill(whole + "x" * 50)
    expect(page.locator(".comment-room")).to_contain_text("characters: the last")
    assert len(field.input_value().encode("utf-16-le")) // 2 <= LONGEST_COMMENT
