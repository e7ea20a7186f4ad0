"""A small reader of PDF files: the words of every page, from the drawing commands and the fonts' own tables.

Enough of ISO 32000 for what WeasyPrint and Chromium write: compressed streams, object streams, composite fonts with a
ToUnicode table, forms within pages. It shares no code with either of them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any

_TOKEN = re.compile(
    rb"\s*(?:%[^\r\n]*\s*)*(<<|>>|\[|\]|\d+\s+\d+\s+R\b|/[^\s<>\[\]()/%]*|<[0-9A-Fa-f\s]*>|\((?:[^()\\]|\\.)*\)"
    rb"|[+-]?\d*\.?\d+|[A-Za-z'\"*]+)",
    re.DOTALL,
)
_OBJECT = re.compile(rb"(?:^|[\r\n])(\d+)\s+\d+\s+obj\b(.*?)endobj", re.DOTALL)
_STREAM = re.compile(rb"^(.*?)\bstream\r?\n(.*?)\r?\n?endstream", re.DOTALL)


class Ref(int):
    """The number of another object."""


def _parse(data: bytes) -> Iterator[Any]:
    """The values of a text: dictionaries, lists, names, numbers, strings (hexadecimal ones as bytes), operators."""
    stack: list[list[Any]] = [[]]
    for match in _TOKEN.finditer(data):
        word = match[1]
        if word in (b"<<", b"["):
            stack.append([])
        elif word in (b">>", b"]"):
            inner = stack.pop()
            closed = dict(zip(inner[::2], inner[1::2], strict=False)) if word == b">>" else inner
            stack[-1].append(closed)
        elif word.endswith(b"R") and word[:1].isdigit():
            stack[-1].append(Ref(word.split()[0]))
        elif word[:1] == b"/":
            stack[-1].append(word.decode("latin-1"))
        elif word[:1] == b"<":
            stack[-1].append(bytes.fromhex(re.sub(rb"\s", b"", word[1:-1]).decode()))
        elif word[:1] == b"(":
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", word[1:-1]))
        elif re.fullmatch(rb"[+-]?\d*\.?\d+", word):
            stack[-1].append(float(word))
        else:
            stack[-1].append(word)
        if len(stack) == 1:
            yield stack[0].pop()


class Pdf:
    """An opened file. pages: their dictionaries, in order. Raises ValueError for what is no PDF."""

    def __init__(self, data: bytes) -> None:
        if not data.startswith(b"%PDF-") or b"%%EOF" not in data[-64:]:
            raise ValueError("not a whole PDF file")
        self.values: dict[int, Any] = {}
        self.streams: dict[int, bytes] = {}
        for match in _OBJECT.finditer(data):
            self._add(int(match[1]), match[2])
        catalog = next(v for v in self.values.values() if isinstance(v, dict) and v.get("/Type") == "/Catalog")
        self.pages = list(self._leaves(self.of(catalog["/Pages"]), {}))

    def _add(self, number: int, body: bytes) -> None:
        stream = _STREAM.match(body.lstrip())
        head = next(_parse(stream[1] if stream else body), None)
        self.values[number] = head
        if not stream:
            return
        packed = isinstance(head, dict) and "/FlateDecode" in str(head.get("/Filter", ""))
        self.streams[number] = zlib.decompressobj().decompress(stream[2]) if packed else stream[2]
        if head.get("/Type") == "/ObjStm":
            content, first = self.streams[number], int(head["/First"])
            table = [int(n) for n in content[:first].split()]
            places = [*table[1::2], len(content) - first]
            for own, start, end in zip(table[::2], places, places[1:], strict=False):
                self.values[own] = next(_parse(content[first + start : first + end]), None)

    def of(self, value: Any) -> Any:
        """The value itself, or what it points to."""
        return self.values.get(int(value)) if isinstance(value, Ref) else value

    def _leaves(self, node: dict[str, Any], inherited: dict[str, Any]) -> Iterator[dict[str, Any]]:
        node = {**inherited, **node}
        if node["/Type"] == "/Page":
            yield node
            return
        handed = {name: node[name] for name in ("/Resources", "/MediaBox") if name in node}
        for kid in self.of(node["/Kids"]):
            yield from self._leaves(self.of(kid), handed)

    def text(self, page: dict[str, Any]) -> str:
        """The words of a page, in the order in which they are drawn."""
        contents = self.of(page["/Contents"]) if not isinstance(page["/Contents"], Ref) else page["/Contents"]
        parts = [contents] if isinstance(contents, Ref) else contents
        drawn = b"\n".join(self.streams[int(part)] for part in parts)
        return " ".join(self._drawn(drawn, self.of(page.get("/Resources", {}))))

    def _drawn(self, commands: bytes, resources: dict[str, Any]) -> Iterator[str]:
        fonts = self.of(resources.get("/Font", {})) or {}
        forms = self.of(resources.get("/XObject", {})) or {}
        letters: dict[int, str] = {}
        before: list[Any] = []
        for value in _parse(commands):
            if not isinstance(value, bytes) or not re.fullmatch(rb"[A-Za-z'\"*]+", value) or value in (b"true",):
                before.append(value)
                continue
            if value == b"Tf":
                letters = self._letters(self.of(fonts[before[-2]]))
            elif value in (b"Tj", b"TJ") and before:
                shown = before[-1] if isinstance(before[-1], list) else [before[-1]]
                yield "".join(_read(part, letters) for part in shown if isinstance(part, bytes))
            elif value == b"Do" and int(forms.get(before[-1], -1)) in self.streams:
                form = forms[before[-1]]
                if self.of(form).get("/Subtype") == "/Form":
                    yield from self._drawn(self.streams[int(form)], self.of(self.of(form).get("/Resources", {})))
            before = []

    def _letters(self, font: dict[str, Any]) -> dict[int, str]:
        """Number of a glyph -> what it stands for."""
        if "/ToUnicode" not in font:
            return {}
        table = self.streams[int(font["/ToUnicode"])]
        found: dict[int, str] = {}
        for block in re.findall(rb"beginbfchar(.*?)endbfchar", table, re.DOTALL):
            values = list(_parse(block))
            found |= {
                int.from_bytes(a, "big"): b.decode("utf-16-be") for a, b in zip(values[::2], values[1::2], strict=True)
            }
        for block in re.findall(rb"beginbfrange(.*?)endbfrange", table, re.DOTALL):
            values = list(_parse(block))
            for low, high, target in zip(values[::3], values[1::3], values[2::3], strict=True):
                first, last = int.from_bytes(low, "big"), int.from_bytes(high, "big")
                for i in range(first, last + 1):
                    one = target[i - first] if isinstance(target, list) else target
                    text = one.decode("utf-16-be")
                    found[i] = text if isinstance(target, list) else text[:-1] + chr(ord(text[-1]) + i - first)
        return found


def _read(shown: bytes, letters: dict[int, str]) -> str:
    return "".join(letters.get(int.from_bytes(shown[i : i + 2], "big"), "") for i in range(0, len(shown), 2))


def words_of(data: bytes) -> list[str]:
    """The text of every page."""
    pdf = Pdf(data)
    return [pdf.text(page) for page in pdf.pages]
