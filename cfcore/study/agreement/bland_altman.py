"""Bland and Altman's limits of agreement between two readers (or two readings) of a quantity."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm, t

from cfcore.study.agreement.icc import complete_cases
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.resampling import Array, Resample, bootstrap_interval
from cfcore.wording import counted


@dataclass(frozen=True)
class BlandAltman:
    """bias: mean of first - second. lower, upper: limits between which 95 % of the differences lie (by default).

    sd: standard deviation of the differences, None for fewer than two cases. All in the unit of the ratings.
    """

    bias: Estimate
    lower: Estimate
    upper: Estimate
    sd: float | None


def _moments(d: Array, w: Array) -> tuple[Array, Array]:
    """(b,) weighted mean and standard deviation (n - 1) for every row of weights; nan below two cases."""
    n = w.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = w @ d / n
        sd = np.sqrt(np.sum(w * (d[None] - mean[:, None]) ** 2, axis=1) / np.where(n > 1, n - 1, np.nan))
    return mean, sd


def bland_altman(
    ratings: ArrayLike | pd.DataFrame, *, share: float = 0.95, resample: Resample | None = None, level: float = 0.95
) -> BlandAltman:
    """Bias and limits of agreement bias -/+ z sd of a (cases, 2) table of numbers (Bland and Altman 1986).

    share: of the differences that the limits hold, z = Phi^-1((1 + share) / 2). Intervals: t with n - 1, standard
    errors sd / sqrt(n) for the bias and sd sqrt(1 / n + z^2 / (2 (n - 1))) for the limits (Bland and Altman 1999); the
    bootstrap over patients where a `resample` is given. Cases with a gap are left out and counted in the note.
    Degenerate: None with a note below two cases; no interval where all differences are equal. Raises ValueError unless
    there are two columns.
    """
    cells = ratings.to_numpy(dtype=object) if isinstance(ratings, pd.DataFrame) else np.asarray(ratings, dtype=object)
    if cells.ndim != 2 or cells.shape[1] != 2:
        raise ValueError(f"Ratings of shape {cells.shape}: limits of agreement compare two columns.")
    kept = ~np.asarray(pd.isna(cells), dtype=bool).any(axis=1)
    x = complete_cases(cells)
    n = len(x)
    if n < 2:
        none = undefined("fewer than 2 complete cases", n)
        return BlandAltman(none, none, none, None)
    d = x[:, 0] - x[:, 1]
    z = float(norm.ppf((1 + share) / 2))
    bias, sd = float(d.mean()), float(d.std(ddof=1))
    gaps = f"{counted(len(cells) - n, 'case')} with a gap left out" if n < len(cells) else ""
    values = (bias, bias - z * sd, bias + z * sd)
    if sd < 1e-12:
        note = "; ".join(filter(None, [gaps, "all differences are equal: no interval"]))
        one, two, three = (Estimate(value, n=n, note=note) for value in values)
        return BlandAltman(one, two, three, 0.0)
    if resample is not None:
        mean, spread = _moments(d, resample.weights[:, kept])
        found = []
        for value, replicates in zip(values, (mean, mean - z * spread, mean + z * spread), strict=True):
            low, high, se, note = bootstrap_interval(replicates, value, resample.n_patients, level)
            found.append(Estimate(value, low, high, se, n, "; ".join(filter(None, [gaps, note]))))
        return BlandAltman(found[0], found[1], found[2], sd)
    quantile = float(t.ppf((1 + level) / 2, n - 1))
    at_bias, at_limit = sd / np.sqrt(n), sd * np.sqrt(1 / n + z**2 / (2 * (n - 1)))
    one, two, three = (
        Estimate(value, value - quantile * float(se), value + quantile * float(se), float(se), n, gaps)
        for value, se in zip(values, (at_bias, at_limit, at_limit), strict=True)
    )
    return BlandAltman(one, two, three, sd)
