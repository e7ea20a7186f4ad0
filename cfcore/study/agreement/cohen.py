"""Cohen's kappa of two readers, plain and weighted, and of every pair of readers."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cfcore.study.agreement.chance import finish, ratio
from cfcore.study.agreement.table import Table, as_table
from cfcore.study.agreement.weights import Weights, weight_matrix
from cfcore.study.estimate import Estimate
from cfcore.study.resampling import Array, Resample


def cohen_kappa(
    readings: Table | ArrayLike,
    *,
    weights: Weights | Array = "identity",
    categories: Sequence[Any] | None = None,
    resample: Resample | None = None,
    level: float = 0.95,
) -> Estimate:
    """Agreement of two readers beyond that of their own marginals, in [-1, 1]; "quadratic" gives weighted
    kappa.

    Cohen 1960, 1968; large-sample variance of Fleiss, Cohen and Everitt 1969, with t and n - 1. Only cases
    that both read count. None with a note where both put every case into the same one category. Raises
    ValueError for another number of readers.
    """
    table = as_table(readings, categories)
    if table.codes is None or table.codes.shape[1] != 2:
        raise ValueError("Cohen's kappa is for two readers: use Conger's or Fleiss' kappa for more.")
    matrix = weight_matrix(weights, table.categories)
    q = len(table.categories)
    one, two = table.codes.T
    both = (one >= 0) & (two >= 0)
    chosen = np.zeros((2, len(one), q))
    chosen[0, np.flatnonzero(both), one[both]] = 1.0
    chosen[1, np.flatnonzero(both), two[both]] = 1.0
    alike = np.where(both, matrix[one, two] if q else 0.0, 0.0)

    def marginals(w: Array) -> tuple[Array, Array]:
        n = (w @ both.astype(float))[:, None]
        return ratio(w @ chosen[0], n), ratio(w @ chosen[1], n)

    def parts(w: Array) -> tuple[Array, Array]:
        rows, columns = marginals(w)
        return ratio(w @ alike, w @ both.astype(float)), np.sum((rows @ matrix) * columns, axis=1)

    def influence() -> Array:
        ones = np.ones((1, len(one)))
        rows, columns = (p[0] for p in marginals(ones))
        pa, pe = (float(x[0]) for x in parts(ones))
        kappa = (pa - pe) / (1 - pe)
        own = (alike[both] - pe) / (1 - pe)
        chance = ((matrix @ columns)[one[both]] + (rows @ matrix)[two[both]]) / 2
        return own - 2 * (1 - kappa) * (chance - pe) / (1 - pe)

    return finish(parts, table, influence, resample, level)


def cohen_pairs(
    readings: pd.DataFrame,
    *,
    categories: Sequence[Any] | None = None,
    weights: Weights = "identity",
    resample: Resample | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Cohen's kappa of each pair of readers (columns of `readings`): first, second, value, low, high, n, note.

    Give a `resample` where patients have several rows: the closed form takes every row as a case of its own.
    """
    rows = []
    for first, second in combinations(readings.columns, 2):
        kappa = cohen_kappa(
            as_table(readings[[first, second]], categories), weights=weights, resample=resample, level=level
        )
        rows.append((first, second, kappa.value, kappa.low, kappa.high, kappa.n, kappa.note))
    return pd.DataFrame(rows, columns=["first", "second", "value", "low", "high", "n", "note"])
