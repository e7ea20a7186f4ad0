"""Headings, figures, chips, tables and empty states in one type scale and one colour system."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import streamlit as st

from cfcore.reports.numbers import folding, percent

__all__ = [
    "Safe",
    "back_button",
    "chip_of",
    "empty",
    "escape",
    "figures",
    "heading",
    "html",
    "line",
    "open_button",
    "percent",
    "short_digest",
    "table",
    "table_html",
    "unbroken",
]

# Columns from which on a table is set more tightly.
DENSE = 8

_STYLE = """
<style>
.cf { font-family: var(--st-font); color: #1b2230; line-height: 1.45; }
.cf h1 { font-size: 1.75rem; font-weight: 650; margin: 0; padding: 0; letter-spacing: -0.01em; }
.cf .sub { color: #5b6577; font-size: 0.95rem; margin: 0.2rem 0 0; max-width: 105ch; }
.cf .figures { display: flex; flex-wrap: wrap; gap: 0.75rem 2.25rem; margin: 0.35rem 0 0.5rem; }
.cf .figures b { display: block; font-size: 1.5rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.cf .figures span { color: #5b6577; font-size: 0.875rem; }
.cf .chip { display: inline-block; padding: 0.05rem 0.55rem; border-radius: 999px; font-size: 0.8rem;
  font-weight: 600; vertical-align: 0.08em; white-space: nowrap; }
.cf .chip.draft { background: #eef1f5; color: #465062; }
.cf .chip.locked, .cf .chip.running { background: #e0f0f9; color: #005b8c; }
.cf .chip.closed, .cf .chip.done { background: #e2f2ec; color: #1c6652; }
.cf .chip.failed { background: #fbe6e4; color: #9b2c22; }
.cf .chip.note { background: #fdf1dc; color: #7d4f00; }
.cf table.plain { border-collapse: collapse; min-width: min(100%, 30rem); font-size: 0.9rem;
  font-variant-numeric: tabular-nums; }
.cf table.plain th { text-align: left; font-weight: 600; color: #465062; padding: 0.3rem 1.75rem 0.3rem 0;
  border-bottom: 1px solid #c9d0da; white-space: nowrap; }
.cf table.plain td { padding: 0.35rem 1.75rem 0.35rem 0; border-bottom: 1px solid #e8ebf0; vertical-align: top; }
.cf table.plain .number { text-align: right; }
/* Many columns: closer together, so that they fit a laptop. */
.cf table.dense { font-size: 0.84rem; }
.cf table.dense th, .cf table.dense td { padding-right: 0.7rem; }
.cf table.dense th { white-space: normal; vertical-align: bottom; }
.cf .empty { border: 1px dashed #c9d0da; border-radius: 8px; padding: 2rem 1.5rem; text-align: center;
  color: #5b6577; background: #fafbfc; }
.cf .empty b { display: block; color: #1b2230; font-size: 1.125rem; margin-bottom: 0.25rem; }
.cf .digest { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.92em; }
.cf .steps { display: flex; flex-wrap: wrap; gap: 0.5rem 1.5rem; margin: 0; padding: 0; list-style: none; }
/* Streamlit fades captions below the contrast that AA asks for. */
[data-testid="stCaptionContainer"], [data-testid="stImageCaption"] { color: #5b6577; opacity: 1; }
.cf .muted { color: #5b6577; }
/* Words in a row of buttons, on their line. */
.cf .beside { line-height: 2.5rem; color: #5b6577; font-size: 0.875rem; white-space: nowrap; }
.cf ul.problems { margin: 0.25rem 0 0; padding-left: 1.2rem; }
</style>
"""


def html(body: str) -> None:
    """A piece of our own HTML under our own style sheet. `body` must be escaped already."""
    st.html(f'{_STYLE}<div class="cf">{body}</div>')


def heading(title: str, sub: str = "", chip: str = "") -> None:
    """The page's one h1 with a line below it; `chip` is HTML from `chip_of`."""
    below = f'<p class="sub">{escape(sub)}</p>' if sub else ""
    html(f"<h1>{escape(title)} {chip}</h1>{below}")


def chip_of(text: str, kind: str = "") -> str:
    """A small label; `kind` is one of draft, locked, running, closed, done, failed, note."""
    return f'<span class="chip {escape(kind or text)}">{escape(text)}</span>'


def line(title: str, facts: Iterable[str], chip: str = "", aside: str = "") -> None:
    """A thing in a list: its name in bold, `aside` in grey, a chip (HTML from `chip_of`), what is known of it below."""
    below = " · ".join(fact for fact in facts if fact)
    beside = f" <span class=muted>{escape(aside)}</span>" if aside else ""
    html(f'<b>{escape(title)}</b>{beside} {chip}<div class="muted">{escape(below)}</div>')


def open_button(parameter: str, number: int) -> None:
    """Opens the thing's own page: the address of this page with its number."""
    if st.button("Open", key=f"open-{number}"):
        st.query_params[parameter] = str(number)
        st.rerun(scope="app")


def back_button(label: str) -> None:
    """From a thing's own page to the list: the address of this page without a number."""
    if st.button(label, icon=":material/arrow_back:", type="tertiary"):
        st.query_params.clear()
        st.rerun()


def figures(items: Iterable[tuple[str, str]]) -> None:
    """Large values with what they are below them."""
    cells = "".join(f"<div><b>{escape(value)}</b><span>{escape(label)}</span></div>" for value, label in items)
    html(f'<div class="figures">{cells}</div>')


def empty(title: str, text: str) -> None:
    """What is shown where there is nothing yet: what would be here and how to get it."""
    html(f'<div class="empty"><b>{escape(title)}</b>{escape(text)}</div>')


def table_html(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> str:
    """A plain table; columns whose index is in `numbers` are right-aligned. Cells are escaped unless they are
    `Safe`."""
    right = set(numbers)

    def cell(tag: str, i: int, value: str) -> str:
        text = value if isinstance(value, Safe) else folding(escape(value))
        return f"<{tag}{' class=number' if i in right else ''}>{text}</{tag}>"

    head = "".join(cell("th", i, name) for i, name in enumerate(columns))
    body = "".join("<tr>" + "".join(cell("td", i, v) for i, v in enumerate(row)) + "</tr>" for row in rows)
    kind = "plain dense" if len(columns) >= DENSE else "plain"
    return f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> None:
    """`table_html`, shown."""
    html(f'<div style="overflow-x:auto">{table_html(columns, rows, numbers)}</div>')


class Safe(str):
    """A string that is HTML already."""


def unbroken(text: str) -> str:
    """HTML that keeps `text` on one line in a cell."""
    return Safe(f"<nobr>{escape(text)}</nobr>")


def short_digest(digest: str | None) -> str:
    """ "91c4…e07a" of a SHA-256."""
    return f"{digest[:4]}…{digest[-4:]}" if digest else "none"
