"""Readings as a table of cases x readers: the common input of the agreement coefficients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cfcore.study.resampling import Array


@dataclass(frozen=True)
class Table:
    """Coded readings.

    counts: (cases, categories), how many readers put the case there. categories: their values, in order.
    codes: (cases, readers) index of the category or -1 where missing; None for a table made of counts alone.
    """

    counts: Array
    categories: tuple[Any, ...]
    codes: NDArray[np.int64] | None = None

    @property
    def per_case(self) -> Array:
        """(cases,) number of readings of each case."""
        return self.counts.sum(axis=1)

    @property
    def n_multiple(self) -> int:
        """Cases with two readings or more: only these tell about agreement."""
        return int(np.sum(self.per_case >= 2))


def as_table(readings: "Table | ArrayLike | pd.DataFrame", categories: Sequence[Any] | None = None) -> Table:
    """Code a (cases, readers) array of any values; None, nan and NA are missing.

    categories: every value a reader could have used, in order. Give it where some may not occur: AC1 and
    Brennan-Prediger depend on their number. Default: the values that occur, sorted. Raises ValueError for
    readings that are not a 2-D table or lie outside `categories`.
    """
    if isinstance(readings, Table):
        return readings
    values = readings.to_numpy(dtype=object) if isinstance(readings, pd.DataFrame) else readings
    cells = np.asarray(values, dtype=object)
    if cells.ndim != 2:
        raise ValueError(f"Readings have shape {cells.shape}: expected (cases, readers).")
    present = ~np.asarray(pd.isna(cells), dtype=bool)
    used = set(cells[present].tolist())
    if categories is None:
        try:
            known = tuple(sorted(used))
        except TypeError:
            known = tuple(sorted(used, key=str))
    else:
        known = tuple(categories)
        if strange := used - set(known):
            raise ValueError(f"Readings {sorted(map(str, strange))} lie outside the categories {list(known)}.")
    index = {category: i for i, category in enumerate(known)}
    codes = np.full(cells.shape, -1, dtype=np.int64)
    codes[present] = [index[v] for v in cells[present].tolist()]
    counts = np.stack([(codes == k).sum(axis=1) for k in range(len(known))], axis=1) if known else None
    return Table(np.zeros((len(cells), 0)) if counts is None else counts.astype(float), known, codes)


def table_from_counts(counts: ArrayLike, categories: Sequence[Any] | None = None) -> Table:
    """A table from (cases, categories) counts of readers, where it is not known who read what."""
    array = np.asarray(counts, dtype=float)
    if array.ndim != 2 or (array < 0).any():
        raise ValueError(f"Counts of shape {array.shape}: expected (cases, categories), none negative.")
    return Table(array, tuple(categories) if categories is not None else tuple(range(array.shape[1])))


def table_from_contingency(matrix: ArrayLike, categories: Sequence[Any] | None = None) -> Table:
    """A table of two readers from their contingency matrix: matrix[k, l] cases were k to the first, l to the second."""
    cells = np.asarray(matrix, dtype=np.int64)
    if cells.ndim != 2 or cells.shape[0] != cells.shape[1] or (cells < 0).any():
        raise ValueError(f"A contingency matrix of shape {cells.shape}: expected square, none negative.")
    rows, columns = np.indices(cells.shape)
    codes = np.stack([np.repeat(rows, cells.ravel()), np.repeat(columns, cells.ravel())], axis=1)
    names = tuple(categories) if categories is not None else tuple(range(len(cells)))
    return as_table(np.asarray(names, dtype=object)[codes], names)
