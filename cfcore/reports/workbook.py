"""Tables as an Excel workbook."""

import io
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
import xlsxwriter

_LONGEST_NAME = 31


def workbook(tables: Mapping[str, pd.DataFrame]) -> bytes:
    """An .xlsx file with one sheet a table: head frozen and in bold, numbers as numbers, undefined cells empty.

    Texts are written as texts, so that none is run as a formula. Raises ValueError for no table.
    """
    if not tables:
        raise ValueError("A workbook needs a table: give at least one.")
    target = io.BytesIO()
    # In memory and without the time of day: the same tables give the same file.
    book = xlsxwriter.Workbook(target, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": pd.Timestamp("2000-01-01").to_pydatetime()})
    bold = book.add_format({"bold": True, "bottom": 1})
    for name, table in _named(tables).items():
        sheet = book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for j, column in enumerate(table.columns):
            sheet.write_string(0, j, str(column), bold)
            sheet.set_column(j, j, min(max(len(str(column)) + 2, 8), 40))
            for i, value in enumerate(table[column], 1):
                _write(sheet, i, j, value)
    book.close()
    return target.getvalue()


def _named(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Sheet names as Excel allows them, all different."""
    found: dict[str, pd.DataFrame] = {}
    for title, table in tables.items():
        name = base = re.sub(r"[\[\]:*?/\\']", " ", title)[:_LONGEST_NAME].strip() or "table"
        n = 2
        while name.casefold() in {known.casefold() for known in found}:
            name, n = f"{base[: _LONGEST_NAME - 4]} {n}", n + 1
        found[name] = table
    return found


def _write(sheet: Any, i: int, j: int, value: Any) -> None:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return
    if isinstance(value, str):
        sheet.write_string(i, j, value[:32767])
    elif isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        sheet.write_boolean(i, j, bool(value))
    else:
        sheet.write_number(i, j, float(value))
