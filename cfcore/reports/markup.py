"""Notes as safe HTML: an allow-list of text elements, everything else shown as plain text."""

from html import escape
from html.parser import HTMLParser

_ALLOWED = frozenset(
    ("p", "br", "hr", "em", "strong", "code", "pre", "blockquote", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6",
     "table", "thead", "tbody", "tr", "th", "td", "del", "sub", "sup")
)  # fmt: skip
_VOID = frozenset(("br", "hr"))
# Their content is code, not text.
_SILENT = frozenset(("script", "style", "template", "noscript", "iframe", "object", "svg", "math"))
# A note's headings come below the report's own.
_LEVELS = {"h1": "h4", "h2": "h5", "h3": "h6", "h4": "h6", "h5": "h6"}


class _Cleaner(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.open: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self.silent += 1
        if self.silent:
            return
        if tag == "a":
            href = dict(attrs).get("href") or ""
            if href.startswith(("https://", "http://", "mailto:", "#")):
                self.out.append(f'<a href="{escape(href)}" rel="noopener noreferrer">')
                self.open.append("a")
        elif tag in _ALLOWED:
            name = _LEVELS.get(tag, tag)
            self.out.append(f"<{name}>")
            if tag not in _VOID:
                self.open.append(name)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self.silent = max(self.silent - 1, 0)
            return
        name = _LEVELS.get(tag, tag)
        if self.silent or name not in self.open:
            return
        while self.open:
            last = self.open.pop()
            self.out.append(f"</{last}>")
            if last == name:
                break

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.out.append(escape(data))


def safe_html(text: str) -> str:
    """HTML with text elements and http(s) or mail links only: no scripts, styles, images, events or
    attributes.

    Unclosed elements are closed, so that a note cannot break out of its place in the page.
    """
    cleaner = _Cleaner()
    cleaner.feed(text)
    cleaner.close()
    return "".join(cleaner.out) + "".join(f"</{name}>" for name in reversed(cleaner.open))
