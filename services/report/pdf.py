"""The report as PDF: WeasyPrint where its library Pango is there, else a Chromium that prints."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from cfcore.reports.emoji import named_emoji

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 240
REMEDY = (
    "This machine cannot write a PDF: install Pango (Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0 "
    "libharfbuzz-subset0 fonts-dejavu-core), or a Chromium, and write the report again. The HTML report prints to PDF "
    "from any browser."
)


class NoPdf(RuntimeError):
    """No PDF can be written here; the message says what to install."""


def to_pdf(html: str) -> bytes:
    """A report without scripts (`cfcore.reports.html.study_report`) as PDF, emoji by their names. Raises NoPdf where
    nothing can print it."""
    html = named_emoji(html)
    printed = _by_weasyprint(html)
    if printed is None:
        printed = _by_browser(html)
    if printed is None:
        raise NoPdf(REMEDY)
    return printed


def _by_weasyprint(html: str) -> bytes | None:
    """None where WeasyPrint or a library under it is missing."""
    # It tells every step, from its import on, and warns of every rule for screens that paper has no use for.
    for name in ("weasyprint", "weasyprint.progress", "fontTools"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError):
        return None
    # Pictures inside the file only: a report never loads anything.
    return HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=["data"])).write_pdf()


def _by_browser(html: str) -> bytes | None:
    """None where there is no browser, or where it failed."""
    browser = browser_path()
    if browser is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        page, target = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, encoding="utf-8")
        command = [browser, "--headless", "--disable-gpu", "--no-pdf-header-footer", f"--print-to-pdf={target}"]
        # A container's only user is often root, whom Chromium's sandbox refuses; the page has no scripts.
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")
        command += [f"--user-data-dir={folder}/profile", page.as_uri()]
        try:
            subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return target.read_bytes() if target.exists() else None


def browser_path() -> str | None:
    """$BROWSER_PATH, or a Chromium on PATH."""
    named = os.environ.get("BROWSER_PATH")
    if named and Path(named).exists():
        return named
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)
