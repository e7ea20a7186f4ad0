"""A person reads a small study in a real browser, by keyboard and by mouse."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import numpy as np
import pytest
import sqlalchemy as sa
from numpy.typing import NDArray
from playwright.sync_api import BrowserContext, Page, expect

from db.models import LoginSession, Pair, Reading, Study, Trial, now
from services.accounts import ensure_account
from services.workspace import Workspace, open_workspace
from tests.browser.pages import profile
from tests.browser.reading import at_case, enter_room, finish_case, latest_answers, saved, seated, sign_in
from tests.browser.server import Server
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Workspace]]:
    folder = tmp_path_factory.mktemp("room") / "workspace"
    workspace = open_workspace(folder)
    study = make_study(workspace, noise_pairs(4, white=4095), white=4095)
    for number in ("one", "two", "three", "four"):
        add_reader(workspace, study, f"reader.{number}", f"Dr. {number.capitalize()}")
    with Server(folder, worker=False) as server:
        yield server, workspace
    workspace.engine.dispose()


def shown_pixels(page: Page, pane: str) -> NDArray[np.uint8]:
    """What a pane's canvas holds once all that was asked for is drawn (at the next frame), (h, w) gray values of the
    screen."""
    width, height, red = page.evaluate(
        """async (pane) => {
            for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
            const canvas = document.querySelector('#cfreader-reading-room').shadowRoot
                .querySelector(`[data-pane=${pane}] canvas`);
            const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            const red = new Uint8Array(width * height);
            for (let i = 0; i < red.length; i++) red[i] = data[4 * i];
            let text = '';
            for (let i = 0; i < red.length; i += 8192) text += String.fromCharCode(...red.subarray(i, i + 8192));
            return [width, height, btoa(text)];
        }""",
        pane,
    )
    return np.frombuffer(base64.b64decode(red), np.uint8).reshape(height, width)


def test_a_whole_study_by_keyboard_with_a_reload_midway(
    room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    server, workspace = room
    page = seated(context, server, "reader.one")
    expect(page.get_by_text("Chest radiographs, series 1")).to_be_visible()
    at_case(page, 1)

    page.keyboard.press("Enter")
    expect(page.get_by_text("5 questions are still open.")).to_be_visible()
    for key in "bxq43":
        page.keyboard.press(key)
    page.keyboard.press("m")
    page.keyboard.type("faint")
    page.keyboard.press("Escape")
    expect(page.locator(".status")).to_contain_text("Saved")
    page.keyboard.press("Enter")
    at_case(page, 2)
    page.keyboard.press("n")
    expect(page.locator(".status")).to_contain_text("Saved")

    page.reload()
    at_case(page, 2)
    expect(page.get_by_label("Line or tube: in neither")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Backspace")
    at_case(page, 1)
    expect(page.get_by_label("Comment (optional)")).to_have_value("faint")
    expect(page.get_by_text("Case 1 of 4")).to_be_visible()
    page.keyboard.press("Enter")
    for number in (2, 3, 4):
        at_case(page, number)
        finish_case(page)
    expect(page.get_by_text("All 4 cases are read")).to_be_visible()
    expect(page.get_by_text("You may go back to any case")).to_be_visible()
    saved(page)

    answers = latest_answers(workspace, "R1")
    assert [a["complete"] for a in answers] == [True] * 4
    assert answers[0]["answers"] == {
        "findings": {"line": "B", "shadow": "both", "rib": "cannot"},
        "ratings": {"realism": 4, "identity": 3},
        "comment": "faint",
    }


def test_another_machine_goes_on_where_the_first_stopped(
    room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    server, _ = room
    page = seated(context, server, "reader.two")
    finish_case(page)
    at_case(page, 2)
    page.get_by_label("Line or tube: only in A").click()
    expect(page.locator(".status")).to_contain_text("Saved")

    assert context.browser is not None
    elsewhere = profile(context.browser)
    other = seated(elsewhere, server, "reader.two")
    at_case(other, 2)
    expect(other.get_by_label("Line or tube: only in A")).to_have_attribute("aria-pressed", "true")
    other.get_by_label("Round shadow: only in B").click()
    expect(other.locator(".status")).to_contain_text("Saved")
    elsewhere.close()

    page.get_by_label("Round shadow: in neither").click()
    expect(page.get_by_role("alert")).to_contain_text("Case 2 was also answered elsewhere")
    page.get_by_role("button", name="Those from elsewhere").click()
    expect(page.get_by_label("Round shadow: only in B")).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Round shadow: in both").click()
    expect(page.locator(".status")).to_contain_text("Saved")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_the_canvas_shows_the_exact_pixels(room: tuple[Server, Workspace], context: BrowserContext) -> None:
    server, workspace = room
    from cfcore.images.encode import decode_png

    page = seated(context, server, "reader.three")
    page.keyboard.press("e")  # every pixel a square
    with workspace.session() as session:
        trial = session.scalar(
            sa.select(Trial).where(Trial.position == 0).join(Trial.study_reader).filter_by(label="R3")
        )
        assert trial is not None
        pair = session.get_one(Pair, trial.pair_id)
        keys = {trial.original_side: pair.original_key}
        keys["B" if trial.original_side == "A" else "A"] = pair.counterfactual_key
    for pane in "AB":
        stored = decode_png(workspace.get(keys[pane])).astype(float)
        window = np.round(255 * np.clip((stored - (2048 - 0.5)) / 4095 + 0.5, 0, 1))
        seen = shown_pixels(page, pane).astype(float)
        height, width = stored.shape
        scale = min(seen.shape[0] / height, seen.shape[1] / width)
        rows = np.floor(seen.shape[0] / 2 + (np.arange(height) + 0.5 - height / 2) * scale).astype(int)
        columns = np.floor(seen.shape[1] / 2 + (np.arange(width) + 0.5 - width / 2) * scale).astype(int)
        assert np.array_equal(seen[np.ix_(rows, columns)], window)
    before = shown_pixels(page, "B")
    page.keyboard.press("Space")
    assert np.array_equal(shown_pixels(page, "A")[50:-50, 50:-50], before[50:-50, 50:-50])
    expect(page.locator("[data-pane=A] .letter")).to_have_text("B")


def test_keys_of_the_view_change_what_is_seen_and_reset_brings_it_back(
    room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    server, _ = room
    page = seated(context, server, "reader.three")
    readout = page.locator("[data-pane=A] .readout")
    start = readout.inner_text()
    picture = shown_pixels(page, "A")
    for key in ("Shift+Digit2", "Shift+Digit6", "w", "i", "+", ",", "v", "f", "Shift+ArrowLeft"):
        page.keyboard.press("r")
        page.keyboard.press("+") if key.startswith("Shift+Arrow") else None
        before = shown_pixels(page, "A")
        page.keyboard.press(key)
        assert not np.array_equal(shown_pixels(page, "A"), before), key
    page.keyboard.press("r")
    expect(readout).to_have_text(start)
    assert np.array_equal(shown_pixels(page, "A"), picture)
    box = page.locator("[data-pane=A]").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 60)
    page.mouse.up()
    expect(readout).not_to_have_text(start)
    assert page.locator("[data-pane=B] .readout").inner_text() == readout.inner_text()


def test_answers_given_without_a_network_wait_visibly_and_are_sent(
    room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    server, workspace = room
    page = seated(context, server, "reader.four")
    context.set_offline(True)
    page.keyboard.press("a")
    page.keyboard.press("b")
    expect(page.locator(".status")).to_have_text("2 answers waiting to be sent")
    context.set_offline(False)
    expect(page.locator(".status")).to_contain_text("Saved")
    with workspace.session() as session:
        rows = session.scalars(
            sa.select(Reading).join(Reading.trial).join(Trial.study_reader).filter_by(label="R4")
        ).all()
        assert rows[-1].answers["findings"] == {"line": "A", "shadow": "B"}


def test_a_reader_reaches_nothing_but_the_own_list(room: tuple[Server, Workspace], context: BrowserContext) -> None:
    server, _ = room
    page = context.new_page()
    sign_in(page, server, "reader.four")
    page.goto(f"{server.url}/studies")
    page.wait_for_url("**/read")
    expect(page.get_by_text("Reading list")).to_be_visible()
    assert page.locator("[data-testid=stTopNavLink]").count() == 0
    for path in ("/media/x.png", "/_stcore/metrics"):
        assert context.request.get(server.url + path).status == 403


def test_an_invitation_link_opens_once(room: tuple[Server, Workspace], context: BrowserContext) -> None:
    from services.invitations import invite_reader

    server, workspace = room
    link = invite_reader(workspace, 1, "new.reader@example.org", "Dr. New", "test")
    page = context.new_page()
    for _ in range(2):  # opening changes nothing
        page.goto(server.url + link)
        expect(page.get_by_role("heading", name="Welcome, Dr. New")).to_be_visible()
    page.get_by_label("Password", exact=True).fill("a password of mine")
    page.get_by_label("Password, once more").fill("a password of mine")
    page.get_by_role("button", name="Set password and start reading").click()
    expect(page.get_by_text("Reading list")).to_be_visible()
    page.goto(server.url + link)
    expect(page.get_by_role("heading", name="This link no longer works")).to_be_visible()


def test_an_ended_session_keeps_the_answers_until_the_reader_is_back(
    room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    server, workspace = room
    page = seated(context, server, "reader.four")
    with workspace.session() as session:
        session.execute(sa.update(LoginSession).values(revoked_at=now()))
    page.get_by_label("Rib out of place: in both").click()
    expect(page.locator(".status")).to_have_text("1 answer waiting to be sent")
    page.get_by_role("link", name="Sign in again").click()
    page.get_by_label("Login").fill("reader.four")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    enter_room(page)
    at_case(page, 1)
    saved(page)
    assert latest_answers(workspace, "R4")[0]["answers"]["findings"]["rib"] == "both"


def test_a_closed_reading_says_that_an_answer_came_too_late(
    room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    server, workspace = room
    page = seated(context, server, "reader.four")
    with workspace.session() as session:
        session.execute(sa.update(Study).values(state="closed"))
    page.get_by_label("Rib out of place: only in A").click()
    expect(page.get_by_role("alert")).to_contain_text("Case 1 was not saved: This reading has been closed")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("This reading is closed")
    expect(page.get_by_label("Rib out of place: in both")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Rib out of place: only in A")).to_be_disabled()
    with workspace.session() as session:
        session.execute(sa.update(Study).values(state="locked"))
    assert latest_answers(workspace, "R4")[0]["answers"]["findings"]["rib"] == "both"


def test_a_researcher_rehearses_without_leaving_a_trace(
    room: tuple[Server, Workspace], context: BrowserContext
) -> None:
    server, workspace = room
    ensure_account(workspace, "ada", "Dr. Ada", "researcher", PASSWORD)
    with workspace.session() as session:
        before = session.scalar(sa.select(sa.func.count(Reading.id)))
    page = context.new_page()
    sign_in(page, server, "ada")
    page.goto(f"{server.url}/read?rehearse=1")
    at_case(page, 1)
    expect(page.get_by_text("Rehearsal, nothing is saved")).to_be_visible()
    for number in range(1, 5):
        at_case(page, number)
        finish_case(page)
    expect(page.get_by_text("This was a rehearsal")).to_be_visible()
    with workspace.session() as session:
        assert session.scalar(sa.select(sa.func.count(Reading.id))) == before


def test_the_server_logged_no_failure(room: tuple[Server, Workspace]) -> None:
    server, _ = room
    assert "Traceback" not in server.log
    assert "page error" not in server.log
