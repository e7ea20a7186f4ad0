"""Measured coverage of intervals as one SVG: a panel a simulated situation, a row a statistic."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from cfcore.reports.colours import ARM_COLOURS
from cfcore.reports.svg import marker
from cfcore.study.coverage import Scenario
from cfcore.study.intervals import wilson

# How an interval was made -> its place in colours and markers; the rows of `cfcore.study.coverage` name the rest.
KINDS: Mapping[str, int] = {"bootstrap over patients": 0, "closed form": 1, "one reader": 2, "patients x readers": 3}
NOMINAL = 0.95
_LOWEST, _ACROSS = 0.5, 3
_LABELS, _PANEL, _BETWEEN = 204, 236, 34
_ROW, _STEP, _HEAD, _FOOT, _TOP = 30, 8, 44, 44, 62
_TEXT, _MUTED, _GRID, _BAND = "#1b2230", "#465062", "#dfe4eb", "#f6f7f9"


def coverage_svg(
    rows: Sequence[Mapping[str, Any]],
    scenarios: Mapping[str, Scenario],
    statistics: Mapping[str, str],
    studies: int,
) -> str:
    """How often the intervals of simulated studies held the truth, beside the nominal 95 %.

    rows: of `cfcore.study.coverage.coverage`, each with its `scenario`. scenarios: key -> what was simulated, a panel
    each, in order. statistics: key -> name, a line of every panel each, in order. studies: simulated a panel. A bar is
    Wilson's 95 % interval of a share of the studies that had an interval; a mark is hollow where fewer than nine in ten
    had one. What lies below one half is drawn at the edge.
    """
    height = _HEAD + len(statistics) * _ROW + _FOOT
    width = _LABELS + _ACROSS * (_PANEL + _BETWEEN)
    down = -(-len(scenarios) // _ACROSS)
    parts = _legend()
    for i, (key, scenario) in enumerate(scenarios.items()):
        left, top = _LABELS + i % _ACROSS * (_PANEL + _BETWEEN), _TOP + i // _ACROSS * height
        own = [row for row in rows if row["scenario"] == key]
        parts += _panel(left, top, key.replace("_", " "), scenario, own, list(statistics), studies)
        if i % _ACROSS == 0:
            parts += [
                _text(_LABELS - 14, top + _HEAD + _ROW * (j + 0.5) + 4, name, "end")
                for j, name in enumerate(statistics.values())
            ]
    total = _TOP + down * height
    title = f"Share of nominal 95 % intervals that held the true value, {studies} simulated studies a panel"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" width="{width}" height="{total}" '
        f'role="img" font-family="Inter, \'Segoe UI\', \'DejaVu Sans\', sans-serif" font-size="12.5" fill="{_TEXT}">'
        f'<title>{escape(title)}</title><rect width="{width}" height="{total}" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _panel(
    left: float,
    top: float,
    name: str,
    scenario: Scenario,
    rows: list[Mapping[str, Any]],
    order: list[str],
    studies: int,
) -> list[str]:
    first, last = top + _HEAD, top + _HEAD + len(order) * _ROW
    parts = [
        f'<rect x="{left}" y="{first + j * _ROW}" width="{_PANEL}" height="{_ROW}" fill="{_BAND}"/>'
        for j in range(0, len(order), 2)
    ]
    parts += [
        _text(left, top + 14, name, weight=' font-weight="600"'),
        _text(left, top + 31, _situation(scenario), colour=_MUTED, size=' font-size="11"'),
    ]
    for tick in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        x = _at(left, tick)
        parts.append(f'<line x1="{x:.1f}" y1="{first}" x2="{x:.1f}" y2="{last}" stroke="{_GRID}"/>')
        parts.append(_text(x, last + 16, f"{100 * tick:.0f}", "middle", colour=_MUTED, size=' font-size="11"'))
    x = _at(left, NOMINAL)
    parts.append(
        f'<line x1="{x:.1f}" y1="{first - 4}" x2="{x:.1f}" y2="{last + 4}" stroke="{_TEXT}" stroke-dasharray="4 3"/>'
    )
    for j, statistic in enumerate(order):
        known = [row for row in rows if row["statistic"] == statistic and row["covered"] is not None]
        for k, row in enumerate(known):
            y = first + _ROW * (j + 0.5) + (k - (len(known) - 1) / 2) * _STEP
            parts += _share(left, y, row, studies)
    return parts


def _share(left: float, y: float, row: Mapping[str, Any], studies: int) -> list[str]:
    kind = KINDS[row["interval"].split(", ")[-1]]
    colour, covered, n = ARM_COLOURS[kind], float(row["covered"]), round(studies * (1 - row["without"]))
    around = wilson(covered * n, n)
    low, high = (_at(left, bound) for bound in (around.low or 0.0, around.high or 0.0))
    told = f"{row['statistic']}, {row['interval']}: {100 * covered:.1f} % of {n} intervals"
    return [
        f'<line x1="{low:.1f}" y1="{y:.1f}" x2="{high:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="1.6"/>',
        f"<g><title>{escape(told)}, median width {row['width']:.2f}</title>",
        marker(kind, _at(left, covered), y, colour, r=3.6, hollow=row["without"] > 0.1),
        "</g>",
    ]


def _situation(scenario: Scenario) -> str:
    skill = f"{scenario.sensitivity:g} / {scenario.specificity:g}" + (
        f" ± {scenario.spread:g}" if scenario.spread else ""
    )
    return f"{scenario.patients} patients, {scenario.readers} readers, {100 * scenario.prevalence:g} %, {skill}"


def _legend() -> list[str]:
    parts, x = [], 14.0
    for name, kind in KINDS.items():
        parts += [marker(kind, x, 16, ARM_COLOURS[kind], r=4.4), _text(x + 11, 20, name)]
        x += 30 + 7.1 * len(name)
    parts.append(f'<line x1="{x:.0f}" y1="9" x2="{x:.0f}" y2="23" stroke="{_TEXT}" stroke-dasharray="4 3"/>')
    parts.append(_text(x + 8, 20, f"nominal {100 * NOMINAL:.0f} %"))
    words = (
        "Per cent of the intervals. Above each panel: patients, readers, prevalence in counterfactuals, sensitivity / "
        "specificity ± readers' SD (logit)."
    )
    parts.append(_text(10, 42, words, colour=_MUTED, size=' font-size="11.5"'))
    return parts


def _at(left: float, share: float) -> float:
    return left + (max(share, _LOWEST) - _LOWEST) / (1 - _LOWEST) * _PANEL


def _text(
    x: float, y: float, text: str, anchor: str = "start", *, colour: str = _TEXT, size: str = "", weight: str = ""
) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{size}{weight}>{escape(text)}</text>'
