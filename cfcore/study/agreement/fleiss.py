"""Fleiss' kappa, and Scott's pi, which is its case of two readers: chance from the pooled share of each category."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cfcore.study.agreement.chance import case_agreement, finish, observed, prevalence
from cfcore.study.agreement.table import Table, as_table
from cfcore.study.agreement.weights import Weights, weight_matrix
from cfcore.study.estimate import Estimate
from cfcore.study.resampling import Array, Resample


def fleiss_kappa(
    readings: Table | ArrayLike,
    *,
    weights: Weights | Array = "identity",
    categories: Sequence[Any] | None = None,
    resample: Resample | None = None,
    level: float = 0.95,
) -> Estimate:
    """Agreement beyond what readers with one common marginal would reach by chance, in [-1, 1].

    Fleiss 1971; missing readings and variance after Gwet 2014 (chapter 5). None with a note where all
    readings fall in one category: chance agreement is 1 then, and kappa says nothing about the readers.
    """
    table = as_table(readings, categories)
    matrix = weight_matrix(weights, table.categories)

    def parts(w: Array) -> tuple[Array, Array]:
        pi = prevalence(table, w)
        return observed(table, matrix, w), np.einsum("bk,kl,bl->b", pi, matrix, pi)

    def influence() -> Array:
        ones = np.ones((1, len(table.counts)))
        pa, pe = (float(x[0]) for x in parts(ones))
        kappa = (pa - pe) / (1 - pe)
        share, several = case_agreement(table, matrix)
        read = table.per_case > 0
        shares = table.counts[read] / table.per_case[read][:, None]
        n, n2 = read.sum(), several.sum()
        own = (n / n2) * (share - pe * several)[read] / (1 - pe)
        chance = shares @ matrix @ prevalence(table, ones)[0]
        return own - 2 * (1 - kappa) * (chance - pe) / (1 - pe)

    return finish(parts, table, influence, resample, level)


def scott_pi(readings: Table | ArrayLike, **options: Any) -> Estimate:
    """Scott's pi (1955) of two readers; same options and degenerate answers as `fleiss_kappa`.

    Raises ValueError for another number of readers.
    """
    table = as_table(readings, options.pop("categories", None))
    if table.codes is None or table.codes.shape[1] != 2:
        raise ValueError("Scott's pi is for two readers: use Fleiss' kappa for more.")
    return fleiss_kappa(table, **options)
