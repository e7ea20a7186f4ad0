"""Gwet's AC1 (nominal) and AC2 (weighted): chance from how hard the cases are, steady under high prevalence."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cfcore.study.agreement.chance import case_agreement, finish, observed, prevalence
from cfcore.study.agreement.table import Table, as_table
from cfcore.study.agreement.weights import Weights, weight_matrix
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.resampling import Array, Resample


def gwet_ac(
    readings: Table | ArrayLike,
    *,
    weights: Weights | Array = "identity",
    categories: Sequence[Any] | None = None,
    resample: Resample | None = None,
    level: float = 0.95,
) -> Estimate:
    """AC1 with identity weights, AC2 otherwise, in [-1, 1] (Gwet 2008; 2014, chapter 5, with missing
    readings).

    Everybody in one category is full agreement, 1, as long as `categories` says that there was another one to
    choose. None with a note where only one category is known.
    """
    table = as_table(readings, categories)
    q = len(table.categories)
    if q < 2:
        return undefined("only one category is known: give all that readers could choose", table.n_multiple)
    matrix = weight_matrix(weights, table.categories)
    scale = matrix.sum() / (q * (q - 1))

    def parts(w: Array) -> tuple[Array, Array]:
        pi = prevalence(table, w)
        return observed(table, matrix, w), scale * np.sum(pi * (1 - pi), axis=1)

    def influence() -> Array:
        ones = np.ones((1, len(table.counts)))
        pa, pe = (float(x[0]) for x in parts(ones))
        value = (pa - pe) / (1 - pe)
        share, several = case_agreement(table, matrix)
        read = table.per_case > 0
        shares = table.counts[read] / table.per_case[read][:, None]
        own = (read.sum() / several.sum()) * (share - pe * several)[read] / (1 - pe)
        chance = scale * shares @ (1 - prevalence(table, ones)[0])
        return own - 2 * (1 - value) * (chance - pe) / (1 - pe)

    return finish(parts, table, influence, resample, level)
