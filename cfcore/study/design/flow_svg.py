"""The flow diagram of a study as SVG: from the data set down to the arms, what left the path at its right."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

from cfcore.study.design.gate import FlowBox, flow_text

_WIDTH, _LINE, _GAP, _CHARS = 300, 17, 22, 38
_INK, _EDGE, _FILL, _AWAY = "#17324d", "#8aa0b4", "#ffffff", "#f2f5f8"


def flow_svg(boxes: Sequence[FlowBox]) -> str:
    """A self-contained SVG with title and description for those who cannot see it; "" without boxes.

    Boxes on the path stand one below the other; exclusions stand at the right of the box that they leave; what ends the
    path (the arms, from the first box that begins with "pairs in arm") stands in rows of two.
    """
    if not boxes:
        return ""
    ends = next((i for i, box in enumerate(boxes) if box.text.startswith("pairs in arm")), len(boxes))
    parts: list[str] = []
    y = 8.0
    last_bottom: float | None = None
    for box in boxes[:ends]:
        lines = textwrap.wrap(box.text, _CHARS) or [""]
        height = _LINE * (len(lines) + 1) + 14
        if box.aside:
            middle = y + height / 2
            parts.append(_arrow(8 + _WIDTH / 2, middle, 8 + _WIDTH + 28, middle))
            parts.append(_box(8 + _WIDTH + 30, y, height, box.n, lines, _AWAY))
        else:
            parts.append(_box(8, y, height, box.n, lines, _FILL))
        if last_bottom is not None:
            # The path runs on behind what leaves it.
            bottom = y + height if box.aside else y
            parts.insert(0, _arrow(8 + _WIDTH / 2, last_bottom, 8 + _WIDTH / 2, bottom, head=not box.aside))
        last_bottom = y + height
        y += height + _GAP
    for i in range(ends, len(boxes), 2):
        row = [(box, textwrap.wrap(box.text, _CHARS) or [""]) for box in boxes[i : i + 2]]
        height = _LINE * (max(len(lines) for _, lines in row) + 1) + 14
        if i == ends and last_bottom is not None:
            parts.insert(0, _arrow(8 + _WIDTH / 2, last_bottom, 8 + _WIDTH / 2, y))
        for j, (box, lines) in enumerate(row):
            parts.append(_box(8 + j * (_WIDTH + 30), y, height, box.n, lines, _FILL))
        y += height + 10
    told = escape(flow_text(boxes))
    width, total = 2 * _WIDTH + 46, int(y + 4)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" width="{width}" height="{total}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="13" style="max-width:100%;height:auto">'
        f"<title>Flow of patients and pairs</title><desc>{told}</desc>"
        f'<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="{_EDGE}"/></marker></defs>{"".join(parts)}</svg>'
    )


def _box(x: float, y: float, height: float, n: int, lines: Sequence[str], fill: str) -> str:
    told = "".join(
        f'<text x="{x + _WIDTH / 2:g}" y="{y + 20 + _LINE * (i + 1):g}" text-anchor="middle" fill="{_INK}">'
        f"{escape(line)}</text>"
        for i, line in enumerate(lines)
    )
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{height:g}" rx="6" fill="{fill}" stroke="{_EDGE}"/>'
        f'<text x="{x + _WIDTH / 2:g}" y="{y + 20:g}" text-anchor="middle" font-weight="600" fill="{_INK}">n = {n}'
        f"</text>{told}"
    )


def _arrow(x1: float, y1: float, x2: float, y2: float, head: bool = True) -> str:
    tip = ' marker-end="url(#tip)"' if head else ""
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{_EDGE}"{tip}/>'
