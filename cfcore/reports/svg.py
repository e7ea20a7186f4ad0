"""Figures of the report as inline SVG: they print, scale and need no script."""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil
from typing import Any

from cfcore.reports.colours import ARM_COLOURS, css, shade
from cfcore.reports.numbers import axis_start, decimal, number, with_spread

_LABEL, _PLOT, _VALUE = 250, 430, 170
_GAP, _STEP = 16, 19


def marker(kind: int, x: float, y: float, colour: str, r: float = 5.0, hollow: bool = False) -> str:
    """The mark number `kind` (0 to 5) around a point; `r`: half its width in pixels."""
    fill = f'fill="#ffffff" stroke="{colour}" stroke-width="1.6"' if hollow else f'fill="{colour}"'
    if kind == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" {fill}/>'
    shapes = {
        1: [(-r, -r), (r, -r), (r, r), (-r, r)],
        2: [(0, -r - 1), (r + 1, 0), (0, r + 1), (-r - 1, 0)],
        3: [(0, -r - 1), (r + 1, r), (-r - 1, r)],
        4: [(0, r + 1), (r + 1, -r), (-r - 1, -r)],
        5: [(-r, -r / 2), (0, -r - 1), (r, -r / 2), (r, r), (-r, r)],
    }
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in shapes[kind])
    return f'<polygon points="{points}" {fill}/>'


def _short(label: str, most: int = 34) -> str:
    return label if len(label) <= most else f"{label[: most - 1]}…"


def forest_svg(
    rows: Mapping[tuple[str, str], Mapping[str, Any]],
    findings: Sequence[tuple[str, str]],
    arms: Sequence[tuple[str, str]],
    coefficient: str = "ac1",
) -> str:
    """A forest plot of one coefficient with intervals; findings from top to bottom, arms below each other.

    rows: (finding, arm) -> a row of `findings_table`. findings, arms: (key, label) in order. The value stands
    beside each line, so that the figure can be read without colour. Undefined ones are written "not defined".
    """
    names = (coefficient, f"{coefficient}_low")
    known = [x for row in rows.values() for name in names if (x := number(row.get(name))) is not None]
    start = axis_start(known)

    def at(value: float) -> float:
        return _LABEL + (max(value, start) - start) / (1 - start) * _PLOT

    height = 34 + len(findings) * (_STEP * len(arms) + _GAP) + 26
    parts = []
    for i in range(ceil(start * 5 - 1e-9), 6):
        grid = i / 5
        x = at(grid)
        weight = ' class="zero"' if abs(grid) < 1e-9 else ""
        parts.append(f'<line{weight} x1="{x:.1f}" y1="30" x2="{x:.1f}" y2="{height - 22}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 6}">{decimal(grid, 1)}</text>')
    y = 34.0 + _GAP / 2
    for finding, label in findings:
        middle = y + _STEP * len(arms) / 2
        parts.append(f'<text class="label" x="{_LABEL - 14}" y="{middle + 4:.1f}">{escape(_short(label))}</text>')
        for j, (arm, _) in enumerate(arms):
            row, line, colour = rows.get((finding, arm), {}), y + _STEP * (j + 0.5), ARM_COLOURS[j % 6]
            value = number(row.get(coefficient))
            right = _LABEL + _PLOT + 14
            if value is None:
                parts.append(f'<text class="none" x="{right}" y="{line + 4:.1f}">not defined</text>')
                continue
            low, high = number(row.get(f"{coefficient}_low")), number(row.get(f"{coefficient}_high"))
            if low is not None and high is not None:
                parts.append(
                    f'<line class="ci" x1="{at(low):.1f}" y1="{line:.1f}" x2="{at(high):.1f}" y2="{line:.1f}" '
                    f'style="stroke:{colour}"/>'
                )
            parts.append(marker(j % 6, at(value), line, colour))
            parts.append(f'<text class="value" x="{right}" y="{line + 4:.1f}">{with_spread(row, coefficient)}</text>')
        y += _STEP * len(arms) + _GAP
    legend, x = [], float(_LABEL)
    for j, (_, name) in enumerate(arms):
        legend.append(marker(j % 6, x + 6, 13, ARM_COLOURS[j % 6]))
        legend.append(f'<text x="{x + 18:.0f}" y="17">{escape(name)}</text>')
        x += 34 + 8.2 * len(name)
    width = max(_LABEL + _PLOT + _VALUE, round(x))
    title = "Agreement by finding and arm with 95 % intervals; the values stand to the right of each line"
    return (
        f'<svg class="forest" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f"{''.join(legend)}{''.join(parts)}</svg>"
    )


def scale_bar(shares: Sequence[float | None]) -> str:
    """How readings spread over the points of a rating, as one stacked bar from the lowest point to the highest."""
    known = [s or 0.0 for s in shares]
    total = sum(known)
    if total <= 0:
        return ""
    x, parts = 0.0, []
    for i, share in enumerate(known):
        width = 160 * share / total
        tone = 0.12 + 0.88 * i / max(len(known) - 1, 1)
        if width > 0:
            text = f"{i + 1}: {100 * share:.0f} %"
            parts.append(
                f'<rect x="{x:.1f}" y="0" width="{width:.1f}" height="14" fill="{css(shade(tone))}">'
                f"<title>{text}</title></rect>"
            )
        x += width
    spoken = ", ".join(f"{i + 1}: {100 * share:.0f} %" for i, share in enumerate(known))
    box = 'viewBox="0 0 160 14" preserveAspectRatio="none"'
    return f'<svg class="scale" {box} role="img" aria-label="{spoken}">{"".join(parts)}</svg>'
