"""Streamlit's widgets by their labels, as a person finds them on a page."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, TimeoutError, expect

SLOW = int(os.environ.get("CFREADER_SLOW_MS", "180000"))  # ms; a wait ends as soon as what it waits for is there


def profile(browser: Browser, **options: Any) -> BrowserContext:
    """A fresh browser profile: no cookies, a laptop's screen where `options` name no other, and the patience that a
    busy machine needs."""
    fresh = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
    fresh.set_default_timeout(SLOW)
    return fresh


def settled(page: Page) -> None:
    """Wait until no script runs: what is on the page then is what the last action led to."""
    page.wait_for_timeout(150)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=SLOW)


def visit(page: Page, name: str, heading: str | None = None) -> None:
    """Through the navigation, to the page with this title."""
    page.get_by_test_id("stTopNavLink").filter(has_text=re.compile(f"^{name}$")).click()
    expect(page.get_by_role("heading", name=heading or name, level=1)).to_be_attached(timeout=SLOW)
    settled(page)


def type_in(page: Page, label: str, text: str) -> None:
    """Into the text or number field with this label, and out of it, so that the page gets to know."""
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    field.press("Tab")
    settled(page)


def choose(page: Page, label: str, option: str) -> None:
    """In a select box."""
    box = page.get_by_test_id("stSelectbox").filter(has=page.get_by_text(label, exact=True))
    listed = page.get_by_role("option", name=option).first
    from_list(box.locator("input"), listed)
    settled(page)


def from_list(handle: Locator, listed: Locator) -> None:
    """Press what opens a list, then what is `listed` there: a list that opens while the page is drawn anew closes
    again, and a person presses once more."""
    for _ in range(20):
        settled(handle.page)
        handle.click()
        with contextlib.suppress(TimeoutError):
            listed.click(timeout=3000)
            return
    raise AssertionError(f"{listed} was not to be had in 20 tries.")


def pick(page: Page, option: str) -> None:
    """In a segmented control."""
    page.get_by_test_id("stButtonGroup").get_by_text(option, exact=True).click()
    settled(page)


def tick(page: Page, option: str) -> None:
    """In a row of radio buttons."""
    page.get_by_test_id("stRadio").get_by_text(option, exact=True).click()
    settled(page)


def press(page: Page, label: str) -> None:
    """The button with this label."""
    button(page, label).click()


def open_run(page: Page, words: str) -> None:
    """The newest run whose row says this; a list may still show what it held before."""
    row = page.locator("[class*='st-key-run-']").filter(has_text=words).first
    row.get_by_role("button", name=re.compile(r"(^|\s)Open$")).click()


def button(page: Page, label: str) -> Locator:
    """The button with this label; its icon is a word, too, for a browser without our font."""
    return page.get_by_role("button", name=re.compile(rf"(^|\s){re.escape(label)}$")).first


def shot(page: Page, name: str) -> None:
    """The window as a picture, where $CFREADER_SCREENSHOTS names a folder for them."""
    folder = os.environ.get("CFREADER_SCREENSHOTS")
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    page.mouse.move(720, 5)
    page.wait_for_timeout(1500)  # pictures and charts come after the script has ended
    page.screenshot(path=Path(folder) / f"{name}.png")
