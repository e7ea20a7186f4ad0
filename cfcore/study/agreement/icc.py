"""Intraclass correlation of ratings: the six forms of Shrout and Fleiss with F-based intervals."""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import f

from cfcore.study.estimate import Estimate, undefined
from cfcore.wording import counted

Form = Literal["1,1", "2,1", "3,1", "1,k", "2,k", "3,k"]
FORMS: tuple[Form, ...] = ("1,1", "2,1", "3,1", "1,k", "2,k", "3,k")
_ZERO = 1e-12


def complete_cases(ratings: ArrayLike | pd.DataFrame) -> np.ndarray:
    """(cases, readers) float array of the cases without a gap."""
    cells = ratings.to_numpy(dtype=object) if isinstance(ratings, pd.DataFrame) else ratings
    frame = pd.DataFrame(np.asarray(cells, dtype=object)).apply(pd.to_numeric, errors="coerce").astype(float)
    return frame.dropna().to_numpy()


def _step_up(rho: float, k: int) -> float:
    """Spearman-Brown: from one reader to the mean of k. Cut at -1: it runs to minus infinity at -1 / (k - 1)."""
    below = 1 + (k - 1) * rho
    return max(k * rho / below, -1.0) if below > _ZERO else -1.0


def _two_way_bounds(bms: float, jms: float, ems: float, n: int, k: int, rho: float, tail: float) -> list[float] | None:
    """Interval of ICC(2,1) (Shrout and Fleiss 1979, after Satterthwaite); None where it has no degrees of freedom."""
    fj = jms / ems
    # Where all cases have one mean v is 0, or 0 / 0.
    above = (k - 1) * (n - 1) * (k * rho * fj + n * (1 + (k - 1) * rho) - k * rho) ** 2
    below = (n - 1) * k**2 * rho**2 * fj**2 + (n * (1 + (k - 1) * rho) - k * rho) ** 2
    if min(above, below) < _ZERO:
        return None
    v = above / below
    f_low, f_high = f.ppf(1 - tail, n - 1, v), f.ppf(1 - tail, v, n - 1)
    low = n * (bms - f_low * ems) / (f_low * (k * jms + (k * n - k - n) * ems) + n * bms)
    high = n * (f_high * bms - ems) / (k * jms + (k * n - k - n) * ems + n * f_high * bms)
    return [float(low), float(high)]


def icc(ratings: ArrayLike | pd.DataFrame, form: Form = "2,1", level: float = 0.95) -> Estimate:
    """Intraclass correlation of a (cases, readers) table of numbers (Shrout and Fleiss 1979), at most 1.

    form: model 1 (each case its own readers), 2 (readers drawn from many, absolute agreement), 3 (these
    readers, consistency); ",1" for one reader's rating, ",k" for the mean of all. Cases with a gap are
    dropped, and the note says how many. Degenerate: None with a note for fewer than 2 complete cases or 2
    readers, or where no rating differs from any other; where readers differ by constants only, the
    consistency forms are 1 without an interval. Raises ValueError for an unknown form.
    """
    if form not in FORMS:
        raise ValueError(f"Unknown form “{form}”: use one of {', '.join(FORMS)}.")
    x = complete_cases(ratings)
    total = len(np.asarray(ratings, dtype=object))
    n, k = x.shape if x.ndim == 2 else (0, 0)
    if n < 2 or k < 2:
        return undefined("fewer than 2 complete cases or 2 readers", n)
    note = f"{counted(total - n, 'case')} with a gap left out" if n < total else ""
    mean = x.mean()
    ss_cases = k * float(np.sum((x.mean(axis=1) - mean) ** 2))
    ss_readers = n * float(np.sum((x.mean(axis=0) - mean) ** 2))
    ss_total = float(np.sum((x - mean) ** 2))
    if ss_total < _ZERO:
        return undefined("all ratings are the same", n)
    bms = ss_cases / (n - 1)
    wms = max(ss_total - ss_cases, 0.0) / (n * (k - 1))
    jms = ss_readers / (k - 1)
    ems = max(ss_total - ss_cases - ss_readers, 0.0) / ((n - 1) * (k - 1))
    tail = (1 - level) / 2
    residual = wms if form[0] == "1" else ems
    total_variance = bms + (k - 1) * residual + (k * (jms - ems) / n if form[0] == "2" else 0.0)
    if total_variance < _ZERO:
        return undefined("no case differs from another", n)
    single = (bms - residual) / total_variance
    if residual < _ZERO:
        value = single if form[2] == "1" else _step_up(single, k)
        return Estimate(float(value), n=n, note="; ".join(filter(None, [note, "no residual: no interval"])))
    if form[0] == "2":
        found = _two_way_bounds(bms, jms, ems, n, k, single, tail)
        if found is None:
            value = single if form[2] == "1" else _step_up(single, k)
            return Estimate(
                float(value), n=n, note="; ".join(filter(None, [note, "no degrees of freedom: no interval"]))
            )
        bounds = found
    else:
        ratio, df = bms / residual, n * (k - 1) if form[0] == "1" else (n - 1) * (k - 1)
        f_low = ratio / f.ppf(1 - tail, n - 1, df)
        f_high = ratio * f.ppf(1 - tail, df, n - 1)
        bounds = [float((b - 1) / (b + k - 1)) for b in (f_low, f_high)]
    if form[2] == "1":
        return Estimate(float(single), bounds[0], bounds[1], None, n, note)
    return Estimate(float(_step_up(single, k)), _step_up(bounds[0], k), _step_up(bounds[1], k), None, n, note)
