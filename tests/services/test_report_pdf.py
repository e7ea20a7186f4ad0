"""What the printed report says, read from the file's own drawing commands."""

from __future__ import annotations

from pathlib import Path

import cfcore.reports
from services.report.pdf import to_pdf
from tests.browser.pdf_pages import words_of

STYLE = (Path(cfcore.reports.__file__).parent / "templates" / "report.css").read_text("utf-8")
ROWS = "".join(f"<tr><th>Row{i}</th><td>10 % against 20 %</td></tr>" for i in range(40))
TABLE = f'<div class="scroll"><table class="list dense"><tbody>{ROWS}</tbody></table></div>'
# As wide and high as a forest of many comparisons.
FIGURE = (
    '<figure class="chart"><div class="still"><svg viewBox="0 0 860 {height}" width="860" height="{height}">'
    '<rect width="860" height="{height}"/></svg></div><figcaption>Caption</figcaption></figure>'
)


def printed(body: str) -> list[str]:
    page = f"<!doctype html><html><head><style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    return words_of(to_pdf(page))


def test_a_heading_never_stands_alone_on_a_page() -> None:
    for kind in ('<div class="wide">', "<div>"):
        inner = f"<h3>Arms against each other</h3>{FIGURE.format(height=1100)}{TABLE}</div>"
        pages = printed(f"<section><h2>Comparisons</h2><p>Before</p>{kind}{inner}</section>")
        (own,) = [words for words in pages if "Arms against each other" in words]
        assert "Caption" in own, kind
    foot = [printed(f"{'<p>Line</p>' * n}<h3>Alone?</h3>{TABLE}") for n in range(36, 42)]
    assert all("Row0" in words for pages in foot for words in pages if "Alone?" in words)
    assert len({sum("Line" in words for words in pages) for pages in foot}) == 1, "the last lines of one page"


def test_emoji_of_a_comment_are_words_on_paper() -> None:
    pages = printed("<p>Ein Schatten 🫁 und 👩‍⚕️ mit 😀</p></main><footer>Made</footer>")
    words = "".join(pages[0].split())
    assert "EinSchatten[lungs]und[woman]" in words and "mit[grinningface]" in words
    assert "Emojiarenamedin[squarebrackets]onpaper" in words
