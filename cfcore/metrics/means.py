"""Means with t intervals: for figures of a few images, or of a few trainings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from cfcore.study.estimate import Estimate, undefined


def t_mean(values: npt.ArrayLike, level: float = 0.95) -> Estimate:
    """Mean of (n,) independent values with the t interval of its standard error; nan are left out, n says how many are
    in. Without an interval for one value; None with a note for none."""
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    n = len(known)
    if n == 0:
        return undefined("nothing measurable")
    mean = float(known.mean())
    if n == 1:
        return Estimate(mean, n=1, note="one value: no interval")
    se = float(known.std(ddof=1) / np.sqrt(n))
    half = float(stdtrit(n - 1, (1 + level) / 2)) * se
    return Estimate(mean, mean - half, mean + half, se, n)


def welch_difference(one: npt.ArrayLike, other: npt.ArrayLike, level: float = 0.95) -> Estimate:
    """Mean of (n,) `one` less mean of (m,) `other`, independent, with the interval of Welch (Biometrika 1947;34:28).

    Without an interval where a side has fewer than two values; None with a note where one is empty.
    """
    a, b = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    n = len(a) + len(b)
    if min(len(a), len(b)) == 0:
        return undefined("nothing measurable on one side", n)
    value = float(a.mean() - b.mean())
    if min(len(a), len(b)) == 1:
        return Estimate(value, n=n, note="one value on a side: no interval")
    parts = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    variance = float(sum(parts))
    if variance == 0:
        return Estimate(value, value, value, 0.0, n)
    df = variance**2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    half = float(stdtrit(df, (1 + level) / 2)) * variance**0.5
    return Estimate(value, value - half, value + half, variance**0.5, n)
