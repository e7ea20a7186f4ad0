"""Brennan and Prediger's coefficient: chance as if readers spread evenly. PABAK is its case of two categories."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cfcore.study.agreement.chance import case_agreement, finish, observed
from cfcore.study.agreement.table import Table, as_table
from cfcore.study.agreement.weights import Weights, weight_matrix
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.resampling import Array, Resample


def brennan_prediger(
    readings: Table | ArrayLike,
    *,
    weights: Weights | Array = "identity",
    categories: Sequence[Any] | None = None,
    resample: Resample | None = None,
    level: float = 0.95,
) -> Estimate:
    """(pa - 1/q) / (1 - 1/q), in [-1, 1] (Brennan and Prediger 1981; weights and variance: Gwet 2014).

    Defined whatever the readers tick, given `categories`. None with a note where only one category is known.
    """
    table = as_table(readings, categories)
    q = len(table.categories)
    if q < 2:
        return undefined("only one category is known: give all that readers could choose", table.n_multiple)
    matrix = weight_matrix(weights, table.categories)
    pe = float(matrix.sum()) / q**2

    def parts(w: Array) -> tuple[Array, Array]:
        pa = observed(table, matrix, w)
        return pa, np.full_like(pa, pe)

    def influence() -> Array:
        share, several = case_agreement(table, matrix)
        read = table.per_case > 0
        return (read.sum() / several.sum()) * (share - pe * several)[read] / (1 - pe)

    return finish(parts, table, influence, resample, level)


def pabak(readings: Table | ArrayLike, **options: Any) -> Estimate:
    """Prevalence- and bias-adjusted kappa of a binary finding, 2 pa - 1 (Byrt et al. 1993). Values False, True."""
    table = as_table(readings, options.pop("categories", None) or (False, True))
    if len(table.categories) != 2:
        raise ValueError(f"PABAK is for two categories, not {len(table.categories)}: use Brennan-Prediger.")
    return brennan_prediger(table, **options)
