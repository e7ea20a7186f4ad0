"""Findings by arm (or by reader) as the paper's Table 2, with intervals: HTML, since no widget has this look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from cfcore.reports.colours import DISAGREE, css, ink, shade
from cfcore.reports.footnotes import Footnotes
from cfcore.reports.numbers import NONE, number, percent, spread

_STYLE = """
<style>
.cf table.heat { border-collapse: separate; border-spacing: 3px; font-size: 0.95rem; }
.cf table.heat th { font-weight: 600; color: #465062; text-align: left; padding: 0.3rem 0.6rem; }
.cf table.heat th .n { display: block; font-weight: 400; font-size: 0.8rem; color: #5b6577; white-space: pre-line; }
.cf table.heat th[scope=row] { font-weight: 400; color: #1b2230; padding: 0 1.25rem 0 0; max-width: 17rem; }
.cf table.heat th[scope=row].main { font-weight: 600; }
.cf table.heat td { min-width: 8.2rem; height: 3.1rem; text-align: center; border-radius: 6px; padding: 0.25rem;
  border: 1.5px solid transparent; font-variant-numeric: tabular-nums; }
.cf table.heat td.corner { min-width: 0; }
.cf table.heat td.disagree { border: 1.5px dashed #8a94a6; }
.cf table.heat td span { display: block; font-size: 0.8rem; }
.cf table.heat sup { font-size: 0.7em; line-height: 0; margin-left: 0.1em; }
.cf .footnotes { color: #5b6577; font-size: 0.8rem; margin: 0.35rem 0 0; }
.cf .footnotes span { margin-right: 1.25rem; }
</style>
"""


def heat_table(
    rows: Sequence[tuple[str, str]],
    columns: Sequence[tuple[str, str]],
    heads: Mapping[str, str],
    main: Sequence[str],
    cell: Callable[[str, str], Mapping[Any, Any] | None],
) -> str:
    """An HTML table.

    Args:
        rows, columns: (key, label). heads: column key -> the small lines below its label.
        main: keys of rows in bold.
        cell: (row, column) -> "share", "share_low", "share_high", and where known "majority", "ac1", "title"; None
            where there is nothing. "share_note": why there is no interval, or what it rests on; said below the table.
    """
    notes = Footnotes()
    head = "".join(
        f'<th scope="col">{escape(label)}<span class="n">{escape(heads.get(key, ""))}</span></th>'
        for key, label in columns
    )
    body = []
    for key, label in rows:
        kind = ' class="main"' if key in main else ""
        cells = "".join(_cell(cell(key, column), notes) for column, _ in columns)
        body.append(f'<tr><th scope="row"{kind}>{escape(label)}</th>{cells}</tr>')
    corner = '<td class="corner"></td>'
    table = f'<table class="heat"><thead><tr>{corner}{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'
    below = "".join(f"<span><sup>{letter}</sup> {escape(text)}</span>" for letter, text in notes.items())
    footnotes = f'<div class="footnotes">{below}</div>' if below else ""
    return f'{_STYLE}<div style="overflow-x:auto">{table}</div>{footnotes}'


def _cell(values: Mapping[Any, Any] | None, notes: Footnotes) -> str:
    share = number(values.get("share")) if values else None
    if values is None or share is None:
        return f'<td style="background:#f4f6f9;color:#5b6577">{NONE}{notes.of(values or {}, "share")}</td>'
    ac1 = number(values.get("ac1"))
    faint = ac1 is not None and ac1 < DISAGREE
    background = shade(share, faint)
    tick = "✓ " if values.get("majority") is True else ""
    interval = spread(values, "share", share=True) or "no interval"
    mark = notes.of(values, "share")
    return (
        f'<td{" class=disagree" if faint else ""} title="{escape(str(values.get("title", "")))}" '
        f'style="background:{css(background)};color:{ink(background)}">{tick}{percent(share)}{mark}<span>{interval}</span></td>'
    )
