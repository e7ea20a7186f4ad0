"""Reading a CSV that lists images: which column is what, and which file each row means."""

import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cfcore.images.errors import ImportRefused
from cfcore.images.vocabulary import COLUMNS, ONE_HOT_FINDINGS, normalised

_ONE_HOT_VALUES = frozenset({"", "0", "1", "-1", "0.0", "1.0", "-1.0"})


@dataclass(frozen=True)
class Table:
    """Rows of a CSV by column, and the column that plays each role (see `COLUMNS`)."""

    rows: list[dict[str, str]]
    roles: dict[str, str]
    one_hot: tuple[str, ...]

    def text(self, row: dict[str, str], role: str) -> str:
        """The cell of `row` that plays `role`, stripped; '' where there is no such column."""
        return (row.get(self.roles.get(role, "")) or "").strip()

    def labels(self, row: dict[str, str]) -> tuple[str, ...]:
        """Labels of a row: the parts of its label cell between '|' or ';', or the findings marked 1."""
        if "labels" in self.roles:
            parts = re.split(r"[|;]", self.text(row, "labels"))
            return tuple(dict.fromkeys(p.strip() for p in parts if p.strip()))
        return tuple(name for name in self.one_hot if (row.get(name) or "").strip() in ("1", "1.0"))


def read_table(path: Path) -> Table:
    """The CSV at `path` (comma, semicolon or tab; UTF-8, else Windows-1252).

    Raises ImportRefused without a header that names a column of image paths, or without rows.
    """
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    lines = text.splitlines(keepends=True)
    header = lines[0] if lines else ""
    delimiter = max(",;\t", key=header.count)
    try:
        rows = [dict(row) for row in csv.DictReader(lines, delimiter=delimiter)]
    except csv.Error:
        raise ImportRefused("The table cannot be read as CSV. Save it again as CSV in UTF-8.") from None
    columns = [c for c in rows[0] if c is not None] if rows else []
    roles = _roles(columns)
    if "path" not in roles:
        known = ", ".join(COLUMNS["path"][:8])
        raise ImportRefused(f"No column of the table names the image files. Call it one of: {known}, ...")
    return Table(rows, roles, _one_hot(columns, rows) if "labels" not in roles else ())


def _roles(columns: list[str]) -> dict[str, str]:
    by_name = {normalised(c): c for c in reversed(columns)}
    found = {}
    for role, names in COLUMNS.items():
        column = next((by_name[n] for n in names if n in by_name), None)
        if column is not None:
            found[role] = column
    return found


def _one_hot(columns: list[str], rows: list[dict[str, str]]) -> tuple[str, ...]:
    """Columns that are named after findings and hold nothing but 0, 1, -1 (uncertain) and blanks."""
    return tuple(
        column
        for column in columns
        if set(normalised(column).split("_")) & ONE_HOT_FINDINGS or normalised(column) == "no_finding"
        if all((row.get(column) or "").strip() in _ONE_HOT_VALUES for row in rows)
    )


def find_table(folder: Path) -> Path | None:
    """The CSV of a folder that lists its images: the only one that can, or labels.csv.

    Raises ImportRefused where several could and none is called labels.csv.
    """
    fit = []
    for path in sorted(folder.glob("*.csv")):
        try:
            read_table(path)
        except (ImportRefused, OSError):
            continue
        fit.append(path)
    if len(fit) > 1:
        fit = [path for path in fit if path.name.lower() == "labels.csv"]
        if not fit:
            raise ImportRefused("Several tables list images here. Give the path of the one that is meant.")
    return fit[0] if fit else None


class FileFinder:
    """Finds the files that a table names, inside its folder only."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))
        self._by_name: dict[str, list[Path]] | None = None

    def find(self, text: str) -> Path | None:
        """The file meant by `text`: relative to the folder, or the only one below it with this name.

        None where there is no such file. Raises PermissionError where `text` leads out of the folder.
        """
        wanted = text.replace("\\", "/")
        path = Path(os.path.normpath(self.root / wanted))
        if not path.is_relative_to(self.root):
            raise PermissionError("outside the imported folder")
        if path.is_file():
            return path
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for found in walk_files(self.root):
                self._by_name[found.name].append(found)
        same = self._by_name.get(path.name, [])
        return same[0] if len(same) == 1 else None


def walk_files(root: Path) -> Iterator[Path]:
    """Files below `root` in a fixed order, without hidden ones and what file managers and archives leave behind.

    Links to folders are followed, each folder is entered once.
    """
    entered = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__MACOSX")
        for name in sorted(names):
            if not name.startswith(".") and name not in ("Thumbs.db", "desktop.ini", "DICOMDIR"):
                yield Path(folder) / name
