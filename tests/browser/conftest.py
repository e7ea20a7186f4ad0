"""A headless Chromium, and what every browser test does first: sign in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.pages import SLOW, profile

# A shared machine may be slow; a wait ends as soon as what it waits for is there.
expect.set_options(timeout=SLOW)

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium from $BROWSER_PATH, else from PATH, else Playwright's own."""
    path = os.environ.get("BROWSER_PATH") or shutil.which("chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh browser profile, closed at the end."""
    fresh = profile(browser)
    yield fresh
    fresh.close()
