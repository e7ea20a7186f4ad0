"""Conger's kappa: Cohen's for several readers, chance from each reader's own marginal."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cfcore.study.agreement.chance import case_agreement, finish, observed, ratio
from cfcore.study.agreement.table import Table, as_table
from cfcore.study.agreement.weights import Weights, weight_matrix
from cfcore.study.estimate import Estimate
from cfcore.study.resampling import Array, Resample


def _marginals(chosen: Array, w: Array) -> Array:
    """(b, readers, q) each reader's share of each category over the cases that the reader read."""
    totals = np.einsum("bn,nrk->brk", w, chosen, optimize=True)
    return ratio(totals, totals.sum(axis=2, keepdims=True))


def conger_kappa(
    readings: Table | ArrayLike,
    *,
    weights: Weights | Array = "identity",
    categories: Sequence[Any] | None = None,
    resample: Resample | None = None,
    level: float = 0.95,
) -> Estimate:
    """Mean observed against mean chance agreement over all pairs of readers, in [-1, 1].

    Conger 1980; missing readings and variance after Gwet 2014 (chapter 5). Equals Cohen's kappa for two
    readers who read the same cases. A reader without any reading is left out. None with a note where chance
    agreement is 1. Raises ValueError for a table of counts, which does not say who read what.
    """
    table = as_table(readings, categories)
    if table.codes is None:
        raise ValueError("Conger's kappa needs to know who read what: give readings, not counts.")
    matrix = weight_matrix(weights, table.categories)
    codes = table.codes[:, (table.codes >= 0).any(axis=0)]
    r = codes.shape[1]
    chosen = (codes[:, :, None] == np.arange(len(table.categories))).astype(float)

    def parts(w: Array) -> tuple[Array, Array]:
        p = _marginals(chosen, w)
        weighted = p @ matrix
        everyone = np.sum(weighted.sum(axis=1) * p.sum(axis=1), axis=1)
        oneself = np.sum(weighted * p, axis=(1, 2))
        return observed(table, matrix, w), (everyone - oneself) / max(r * (r - 1), 1)

    def influence() -> Array:
        ones = np.ones((1, len(codes)))
        pa, pe = (float(x[0]) for x in parts(ones))
        kappa = (pa - pe) / (1 - pe)
        share, several = case_agreement(table, matrix)
        read = table.per_case > 0
        n = read.sum()
        own = (n / several.sum()) * (share - pe * several)[read] / (1 - pe)
        p = _marginals(chosen, ones)[0]
        seen = (codes >= 0)[read].astype(float)
        n_reader = seen.sum(axis=0)
        # What case i adds to each reader's marginals, against what the other readers expect of that reader.
        change = chosen[read] - (seen - n_reader / n)[:, :, None] * p[None]
        others = (p.sum(axis=0)[None] - p) @ matrix
        chance = np.einsum("nrk,rk,r->n", change, others, n / n_reader) / (r * (r - 1))
        return own - 2 * (1 - kappa) * (chance - pe) / (1 - pe)

    return finish(parts, table, influence, resample, level)
