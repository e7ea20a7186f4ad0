"""Agreement before any correction for chance: raw, specific to a category, and the two indices that explain kappa."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cfcore.study.agreement.chance import case_agreement, finish, observed, ratio
from cfcore.study.agreement.table import Table, as_table
from cfcore.study.agreement.weights import Weights, weight_matrix
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.resampling import Array, Resample, bootstrap_interval


def percent_agreement(
    readings: Table | ArrayLike,
    *,
    weights: Weights | Array = "identity",
    categories: Sequence[Any] | None = None,
    resample: Resample | None = None,
    level: float = 0.95,
) -> Estimate:
    """Share of agreeing pairs of readers, averaged over cases with two readings or more, in [0, 1].

    Closed-form interval: t over cases. Degenerate: None where no case has two readings; 1 with an exact lower
    bound where nobody disagrees.
    """
    table = as_table(readings, categories)
    matrix = weight_matrix(weights, table.categories)

    def parts(w: Array) -> tuple[Array, Array]:
        pa = observed(table, matrix, w)
        return pa, np.zeros_like(pa)

    def influence() -> Array:
        share, several = case_agreement(table, matrix)
        return share[several > 0]

    estimate = finish(parts, table, influence, resample, level)
    # A share has no negative side, unlike the coefficients that `finish` is made for.
    low = None if estimate.low is None else max(estimate.low, 0.0)
    return Estimate(estimate.value, low, estimate.high, estimate.se, estimate.n, estimate.note)


def specific_agreement(
    readings: Table | ArrayLike,
    category: Any,
    *,
    categories: Sequence[Any] | None = None,
    resample: Resample | None = None,
    level: float = 0.95,
) -> Estimate:
    """Of the readings that chose `category`, the share of other readings of the same case that chose it, too.

    For a binary finding: positive agreement (category True) and negative agreement (False); Cicchetti and
    Feinstein 1990, for several readers sum r_ik (r_ik - 1) / sum r_ik (r_i - 1) (Uebersax). None with a note
    where nobody chose the category in a case with two readings.
    """
    table = as_table(readings, categories)
    if category not in table.categories:
        return undefined(f"nobody chose {category}", table.n_multiple)
    k = table.categories.index(category)
    r, chosen = table.per_case, table.counts[:, k]
    same, possible = chosen * (chosen - 1), chosen * (r - 1)

    def share(w: Array) -> Array:
        return ratio(w @ same, w @ possible)

    value = float(share(np.ones((1, len(r))))[0])
    if not np.isfinite(value):
        return undefined(f"nobody chose {category}", table.n_multiple)
    if resample is None:
        return Estimate(value, n=table.n_multiple)
    low, high, se, note = bootstrap_interval(share(resample.weights), value, resample.n_patients, level)
    return Estimate(value, low, high, se, table.n_multiple, note)


def prevalence_index(readings: Table | ArrayLike) -> Estimate:
    """Share of positive minus share of negative readings of a binary finding, in [-1, 1] (Byrt et al. 1993).

    Far from 0, kappa is low whatever the readers do. Cases with two readings or more, each with the same
    weight.
    """
    table = as_table(readings, (False, True))
    several = table.per_case >= 2
    if not several.any():
        return undefined("no case has two readings")
    shares = table.counts[several] / table.per_case[several][:, None]
    return Estimate(float(np.mean(shares[:, 1] - shares[:, 0])), n=int(several.sum()))


def bias_index(readings: Table | ArrayLike) -> Estimate:
    """How far the readers differ in how often they tick, in [0, 1] (Byrt et al. 1993).

    |b - c| / n of each pair of readers on the cases that both read, averaged over the pairs.
    """
    table = as_table(readings, (False, True))
    codes = table.codes
    if codes is None:
        return undefined("needs to know who read what")
    seen, chosen = (codes >= 0).astype(float), (codes == 1).astype(float)
    first, second = np.triu_indices(codes.shape[1], 1)
    shared = (seen.T @ seen)[first, second]
    # Row g, column h: positive readings of g among the cases that h read, too.
    positive = chosen.T @ seen
    if not (shared > 0).any():
        return undefined("no case has two readings")
    apart = np.abs(positive[first, second] - positive[second, first])
    return Estimate(float(np.mean(apart[shared > 0] / shared[shared > 0])), n=table.n_multiple)
