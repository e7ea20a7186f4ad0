"""Intervals of proportions: Wilson, Clopper-Pearson, Newcombe's paired difference, bootstrap over patients."""

from collections.abc import Sequence

import numpy as np
from scipy.special import betaincinv, ndtri

from cfcore.study.estimate import Estimate, undefined
from cfcore.study.resampling import Array, Resample, bootstrap_interval


def _check(successes: float, n: float) -> None:
    if n < 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no proportion: expected 0 <= successes <= n.")


def wilson(successes: float, n: float, level: float = 0.95) -> Estimate:
    """Score interval of a proportion (Wilson 1927). None with a note for n = 0. n may be an effective size."""
    _check(successes, n)
    if n == 0:
        return undefined("no reading")
    p, z2 = successes / n, float(ndtri((1 + level) / 2)) ** 2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * p * (1 - p) / n + z2**2 / (4 * n**2)) / (1 + z2 / n)
    # At 0 and n the bound is 0 and 1 exactly; rounding must not leave it outside.
    low = 0.0 if successes == 0 else float(centre - half)
    high = 1.0 if successes == n else float(centre + half)
    return Estimate(p, low, high, float(np.sqrt(p * (1 - p) / n)), round(n))


def clopper_pearson(successes: float, n: float, level: float = 0.95) -> Estimate:
    """Exact interval of a proportion (Clopper and Pearson 1934). None with a note for n = 0."""
    _check(successes, n)
    if n == 0:
        return undefined("no reading")
    p, tail = successes / n, (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Estimate(p, low, high, float(np.sqrt(p * (1 - p) / n)), round(n))


def newcombe_paired(both: int, first: int, second: int, neither: int, level: float = 0.95) -> Estimate:
    """Difference p1 - p2 of paired proportions with Newcombe's method 10 (Statistics in Medicine 1998;
    17:2635).

    both, first, second, neither: pairs positive in both members, only the first, only the second, in none.
    Wilson intervals of both proportions, combined with the correlation phi, continuity-corrected where
    positive. None with a note where there is no pair.
    """
    if min(both, first, second, neither) < 0:
        raise ValueError(f"Counts {both, first, second, neither} must not be negative.")
    n = both + first + second + neither
    if n == 0:
        return undefined("no reading")
    one, two = wilson(both + first, n, level), wilson(both + second, n, level)
    p1, l1, u1 = (both + first) / n, one.low or 0.0, one.high or 0.0
    p2, l2, u2 = (both + second) / n, two.low or 0.0, two.high or 0.0
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    product: float = both * neither - first * second
    if product > 0:
        product = max(product - n / 2, 0)
    phi = product / np.sqrt(margins) if margins else 0.0
    d_low, d_high = p1 - l1, u2 - p2
    e_low, e_high = u1 - p1, p2 - l2
    low = (p1 - p2) - np.sqrt(max(d_low**2 - 2 * phi * d_low * d_high + d_high**2, 0))
    high = (p1 - p2) + np.sqrt(max(e_low**2 - 2 * phi * e_low * e_high + e_high**2, 0))
    se = np.sqrt((first + second - (first - second) ** 2 / n) / n**2)
    return Estimate(p1 - p2, float(max(low, -1)), float(min(high, 1)), float(se), n)


def _sums(values: Array, counts: Array, weights: Array) -> Array:
    """Weighted mean of readings for every row of weights; nan where no reading is left."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weights @ values) / (weights @ counts)


def bootstrap_mean(
    values: Sequence[float] | Array,
    counts: Sequence[float] | Array,
    resample: Resample,
    level: float = 0.95,
    bounds: tuple[float, float] = (0, 1),
) -> Estimate:
    """Mean over readings, with the interval of these readers over patients.

    values: (rows,) sum over the readings of each row (a pair); counts: (rows,) number of them. n is the
    number of patients with a reading. Where every patient looks alike (0 of 30, 30 of 30) the bootstrap sees
    no spread: at a bound the interval is then Wilson's with n patients, as if each patient's readings were
    one, and the note says so; a difference of 0 without any change gets the same bound on both sides. None with
    a note where there is no reading.
    """
    v, c = np.asarray(values, dtype=float), np.asarray(counts, dtype=float)
    read = np.bincount(resample.patient_of, weights=c, minlength=resample.n_patients) > 0
    n = int(read.sum())
    if n == 0:
        return undefined("no reading")
    value = float(v.sum() / c.sum())
    return settle_mean(value, _sums(v, c, resample.weights), n, level, bounds, unchanged=not v.any())


def settle_mean(
    value: float, replicates: Array, n: int, level: float, bounds: tuple[float, float], *, unchanged: bool
) -> Estimate:
    """A mean with its bootstrap interval, and Wilson's bounds where all readings are alike (see `bootstrap_mean`).

    replicates: (resamples,). n: units behind it. unchanged: every reading is 0.
    """
    low, high, se, note = bootstrap_interval(replicates, value, n, level)
    lowest, highest = bounds
    alike = low is None and value == 0 and lowest == -highest and unchanged
    if value not in bounds and not alike:
        return Estimate(value, low, high, se, n, note)
    none = wilson(0, n, level).high or 1.0
    if value in bounds:
        low = lowest if value == lowest else highest - none * (highest - lowest)
        high = highest if value == highest else lowest + none * (highest - lowest)
    else:
        low, high = -none * highest, none * highest
    return Estimate(value, low, high, 0.0, n, f"all readings alike: Wilson interval with {n} patients")
