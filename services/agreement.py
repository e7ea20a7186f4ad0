"""Agreement of anybody's table: read a CSV of units and readers, say what is wrong with it, compute coefficients."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cfcore.study.agreement.battery import FITTING, SCALES, Scale, every_coefficient
from cfcore.study.resampling import RESAMPLES
from services.figures import Figures

NAME = "agreement"
# What people write for "missing". A cell must be blank instead: it might be an answer.
_LIKE_MISSING = frozenset((".", "na", "n/a", "nan", "null", "none", "-", "?", "missing"))
_SHOWN = 3


def _rows(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except IsADirectoryError as error:
        raise ValueError(f"{path} is a folder: give a CSV file.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text: save the table as “CSV UTF-8”.") from error
    if not text.strip():
        raise ValueError(f"{path} is empty: expected a first line with names, then one line a unit.")
    first = text.lstrip("\n").splitlines()[0]
    separator = max(",;\t", key=first.count)
    return list(csv.reader(io.StringIO(text), delimiter=separator))


def read_table(path: Path) -> pd.DataFrame:
    """Units (index) x readers (columns) of stripped strings, None where blank.

    The first line has names, the first column the units; comma, semicolon or tab. Lines without any cell are skipped.
    Raises FileNotFoundError, and ValueError naming row (as a spreadsheet counts) and column and what to do.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    lines = _rows(path)
    head = next(i for i, row in enumerate(lines) if any(cell.strip() for cell in row))
    names = [cell.strip() for cell in lines[head]]
    while len(names) > 1 and not names[-1]:
        names.pop()
    readers = names[1:]
    if len(readers) < 2:
        raise ValueError(
            f"{path} has {len(readers)} reader columns: expected a column of units and two or more of readers, "
            "separated by commas, semicolons or tabs."
        )
    for column, name in enumerate(readers, 2):
        if not name:
            raise ValueError(f"Column {column} has no name: write the reader's name into row {head + 1}.")
        if readers.index(name) + 2 < column:
            raise ValueError(f"Columns {readers.index(name) + 2} and {column} are both called “{name}”: rename one.")
    units: dict[str, int] = {}
    cells: list[list[str | None]] = []
    for number, row in enumerate(lines[head + 1 :], head + 2):
        stripped = [cell.strip() for cell in row]
        if not any(stripped):
            continue
        if any(stripped[len(names) :]):
            raise ValueError(
                f"Row {number} has {len(stripped)} cells, the header {len(names)}: put answers that contain the "
                "separator in double quotes."
            )
        stripped += [""] * (len(names) - len(stripped))
        unit = stripped[0]
        if not unit:
            raise ValueError(f"Row {number} names no unit: fill its first column.")
        if unit in units:
            raise ValueError(f"Unit “{unit}” stands in rows {units[unit]} and {number}: give every unit one row.")
        units[unit] = number
        cells.append([cell or None for cell in stripped[1 : len(names)]])
    if not cells:
        raise ValueError(f"{path} has names but no unit: add one line a unit.")
    frame = pd.DataFrame(cells, index=pd.Index(units, name=names[0] or "unit"), columns=readers, dtype=object)
    frame.attrs["rows"] = list(units.values())
    return frame


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _cells(frame: pd.DataFrame) -> list[tuple[int, str, str]]:
    """(row as a spreadsheet counts, reader, text) of every cell that is not blank."""
    found = []
    for row, values in zip(frame.attrs["rows"], frame.itertuples(index=False, name=None), strict=True):
        found += [(row, name, text) for name, text in zip(frame.columns, values, strict=True) if text is not None]
    return found


def _typed(
    frame: pd.DataFrame, scale: Scale, categories: Sequence[str] | None
) -> tuple[pd.DataFrame, list[Any] | None]:
    """Cells as numbers where the level needs them or all are numbers; else as text. And the categories likewise."""
    cells = _cells(frame)
    if categories is not None:
        known = [name.strip() for name in categories]
        if len(set(known)) < len(known) or "" in known or len(known) < 2:
            raise ValueError("--categories needs two or more different names, separated by commas.")
        for row, reader, text in cells:
            if text not in known:
                raise ValueError(
                    f"Row {row}, column {reader}: “{text}” is none of the categories {', '.join(known)}: "
                    "correct the cell, or add it to --categories."
                )
        if scale in ("nominal", "ordinal"):
            return frame, known
    for row, reader, text in cells:
        if _number(text) is not None:
            continue
        where = f"Row {row}, column {reader}: “{text}”"
        if text.casefold() in _LIKE_MISSING and categories is None:
            raise ValueError(
                f"{where} looks like a missing reading: leave the cell blank, or list it in --categories if it is an "
                "answer."
            )
        if scale in ("interval", "ratio"):
            comma = ": write a decimal point" if "," in text else ""
            raise ValueError(
                f"{where} is not a number{comma}: the {scale} level needs numbers, or use --level nominal."
            )
        if scale == "ordinal":
            raise ValueError(
                f"{where} is not a number, so its rank is not known: give the order, --categories low,middle,high."
            )
    if scale == "nominal":
        return frame, None
    numeric = frame.map(lambda text: None if text is None else _number(text))
    if scale == "ratio":
        for row, reader, text in cells:
            if (_number(text) or 0.0) < 0:
                raise ValueError(f"Row {row}, column {reader}: {text} is negative: use --level interval.")
    return numeric, None if categories is None else [_number(name) for name in categories]


def agreement_of_table(
    path: Path,
    scale: str = "nominal",
    *,
    categories: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """Every coefficient of a CSV table (`cfcore.study.agreement.battery.every_coefficient`).

    Returns the object of `services.figures`: figures hold every defined coefficient under its name and its bounds as
    NAME_low and NAME_high; `rows` the whole table, with the notes of what is not defined; settings the level, the
    weights, units, readers, missing cells. Raises ValueError or FileNotFoundError naming what to correct.
    """
    if scale not in SCALES:
        raise ValueError(f"Unknown level “{scale}”: use --level {', '.join(SCALES)}.")
    if not 0 < confidence < 1:
        raise ValueError(f"The confidence is {confidence}: give a share such as 0.95.")
    if resamples < 100:
        raise ValueError(f"{resamples} resamples are too few for an interval: use 100 or more.")
    started = time.perf_counter()
    frame = read_table(path)
    typed, known = _typed(frame, scale, categories)  # type: ignore[arg-type]
    table = every_coefficient(
        typed,
        scale,  # type: ignore[arg-type]
        rng=np.random.default_rng(seed),
        categories=known,
        resamples=resamples,
        level=confidence,
    )
    rows = table.to_dict("records")
    figures: dict[str, float] = {}
    for row in rows:
        for suffix, key in (("", "value"), ("_low", "low"), ("_high", "high")):
            if row[key] is not None:
                figures[row["name"] + suffix] = float(row[key])
    filled = frame.notna().to_numpy()
    settings = {
        "level": scale,
        "weights": FITTING[scale],  # type: ignore[index]
        "confidence": confidence,
        "units": len(frame),
        "units_with_two_readings": int((filled.sum(axis=1) >= 2).sum()),
        "readers": len(frame.columns),
        "missing": int((~filled).sum()),
        "resamples": resamples,
        "seed": seed,
        "categories": list(categories) if categories is not None else None,
    }
    result = Figures(NAME, figures, settings, round(time.perf_counter() - started, 2))
    return asdict(result) | {"rows": rows}
