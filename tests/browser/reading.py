"""What tests do in the reading room, named as a reader would name it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Locator, Page, expect

from db.models import StudyReader, Trial
from services.workspace import Workspace
from tests.browser.server import Server
from tests.browser.studies import PASSWORD

ALL_ANSWERS = "nnn55"  # for the questions of tests.browser.studies


def sign_in(page: Page, server: Server, login: str, password: str = PASSWORD) -> None:
    """Through the form, as a person does."""
    page.goto(f"{server.url}/auth/sign-in")
    page.get_by_label("Login").fill(login)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def seated(context: BrowserContext, server: Server, login: str) -> Page:
    """A reader at work: signed in, in the first series that is open."""
    page = context.new_page()
    sign_in(page, server, login)
    open_room(page)
    return page


def open_room(page: Page) -> None:
    """From the reading list into the first series, until its first case is on the screen."""
    page.get_by_role("button", name="Start").or_(page.get_by_role("button", name="Continue")).first.click()
    enter_room(page)


def enter_room(page: Page) -> None:
    """Past the screen check, where it is due, to the case."""
    expect(page.locator("[data-case]").or_(page.locator(".check"))).to_be_visible()
    if page.locator(".check").is_visible():
        pass_check(page)
    expect(page.locator("[data-case]")).to_be_visible()


def pass_check(page: Page) -> None:
    """Answer the screen check as somebody does who sees everything."""
    for ask in page.locator(".check .ask").all():
        ask.locator(f"[data-value={ask.get_attribute('data-right')}]").click()
    page.get_by_role("button", name="Start reading").click()


def at_case(page: Page, number: int) -> None:
    """Wait until case `number` (from 1) is on the screen."""
    expect(page.locator(f'[data-case="{number}"]')).to_be_visible()


def saved(page: Page) -> None:
    """Wait until nothing is on its way to the server any more: the next case is shown before that."""
    expect(page.locator(".status.saved")).to_contain_text("Saved")


def finish_case(page: Page, keys: str = ALL_ANSWERS) -> None:
    """Answer every question anew, from the first row, and go on."""
    expect(page.locator("[data-case]")).to_be_visible()
    for _ in keys:
        page.keyboard.press("ArrowUp")
    for key in keys:
        page.keyboard.press(key)
    page.keyboard.press("Enter")


def tap(target: Locator) -> None:
    """With a finger, once more where the browser sends no click: after a gesture, and on a busy machine, Chromium takes
    a tap for a part of the gesture or for a long press, and a person taps again. What the page does with a click is
    not forgiven."""
    page = target.page
    for _ in range(3):
        page.evaluate(
            "() => { window.clicked = new Promise((done) => addEventListener('click', () => done(true), "
            "{ capture: true, once: true })); }"
        )
        target.tap()
        if page.evaluate("() => Promise.race([window.clicked, new Promise((late) => setTimeout(late, 5000, false))])"):
            return
    raise AssertionError(f"three taps and no click on {target}")


def latest_answers(workspace: Workspace, label: str) -> list[dict[str, Any]]:
    """For each trial of a reader, in order, the newest reading as a dict."""
    with workspace.session() as session:
        trials = session.scalars(
            sa.select(Trial).join(StudyReader).where(StudyReader.label == label).order_by(Trial.position)
        ).all()
        newest = [trial.readings[-1] for trial in trials if trial.readings]
        return [
            {"answers": r.answers, "complete": r.complete, "sequence": r.sequence, "seconds": r.seconds} for r in newest
        ]
