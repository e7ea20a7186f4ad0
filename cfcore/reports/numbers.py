"""How numbers are written: two decimals for coefficients, whole per cent for shares, a dash where undefined."""

import re
from collections.abc import Iterable, Mapping
from math import floor
from typing import Any

import pandas as pd

NONE = "–"
_WITH_INTERVAL = re.compile(r"^([−\d.]+(?: %| to [−\d.]+)?) \(([−\d.]+ to [^()]+)\)$")


def number(value: Any) -> float | None:
    """A float, or None for None, NA and nan."""
    return None if value is None or pd.isna(value) else float(value)


def decimal(value: Any, digits: int = 2) -> str:
    """ "0.71", "−0.03" with a true minus sign, or a dash."""
    x = number(value)
    if x is None:
        return NONE
    # Adding 0 turns a rounded -0.00 into 0.00.
    return f"{round(x, digits) + 0.0:.{digits}f}".replace("-", "−")


def percent(value: Any, digits: int = 0) -> str:
    """A share in [0, 1] as "71 %", or a dash."""
    x = number(value)
    return NONE if x is None else f"{decimal(100 * x, digits)} %"


def spread(row: Mapping[str, Any], name: str, *, share: bool = False, digits: int = 2) -> str:
    """The interval in the columns name_low and name_high: "0.62 to 0.79", as per cent "62 to 79", or ""."""
    low, high = number(row.get(f"{name}_low")), number(row.get(f"{name}_high"))
    if low is None or high is None:
        return ""
    if share:
        return f"{decimal(100 * low, 0)} to {decimal(100 * high, 0)}"
    return f"{decimal(low, digits)} to {decimal(high, digits)}"


def folding(html: str) -> str:
    """A cell of a table, HTML already, that may break between a number and its interval (or two of them) and nowhere
    else: "58 % (44 to 70)" on one line or on two. Any other text as it is."""
    found = _WITH_INTERVAL.match(html)
    if not found:
        return html
    parts = [found[1], *f"({found[2]})".replace("; ", ";|").split("|")]
    return " ".join(f"<nobr>{part}</nobr>" for part in parts)


def axis_start(values: Iterable[float]) -> float:
    """Where an axis of a coefficient begins: at 0, or just low enough (in steps of 0.05, at least -1) for the least
    of the values."""
    return max(floor(min([0.0, *values]) * 20) / 20, -1.0)


def with_spread(row: Mapping[str, Any], name: str, *, share: bool = False, digits: int = 2) -> str:
    """ "0.71 (0.62 to 0.79)" or "71 % (62 to 79)", from the columns name, name_low, name_high."""
    value = percent(row.get(name)) if share else decimal(row.get(name), digits)
    interval = spread(row, name, share=share, digits=digits)
    return f"{value} ({interval})" if interval and value != NONE else value
