"""Kendall's W: how far readers rank the cases alike."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from cfcore.study.agreement.icc import complete_cases
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.resampling import Resample, bootstrap_interval


def _w(x: np.ndarray) -> float:
    k, n = x.shape
    ranks = rankdata(x, axis=0)
    spread = float(np.sum((ranks.sum(axis=1) - n * (k + 1) / 2) ** 2))
    ties = sum(float(np.sum(c**3 - c)) for c in (np.unique(col, return_counts=True)[1] for col in x.T))
    below = n**2 * (k**3 - k) - n * ties
    return 12 * spread / below if below > 0 else float("nan")


def kendall_w(ratings: ArrayLike | pd.DataFrame, *, resample: Resample | None = None, level: float = 0.95) -> Estimate:
    """Concordance of n readers who rank k cases, in [0, 1], corrected for ties (Kendall and Smith 1939).

    ratings: (cases, readers); cases with a gap are dropped. W = Friedman's Q / (n (k - 1)). Interval:
    bootstrap over patients. None with a note for fewer than 2 complete cases or readers, or where every
    reader rates all cases alike.
    """
    cells = ratings.to_numpy(dtype=object) if isinstance(ratings, pd.DataFrame) else np.asarray(ratings, dtype=object)
    x = complete_cases(cells)
    if x.ndim != 2 or min(x.shape) < 2:
        return undefined("fewer than 2 complete cases or 2 readers", len(x))
    value = _w(x)
    if not np.isfinite(value):
        return undefined("every reader rates all cases alike", len(x))
    note = f"{len(cells) - len(x)} cases with a gap left out" if len(x) < len(cells) else ""
    if resample is None:
        return Estimate(value, n=len(x), note=note)
    kept = ~np.asarray(pd.isna(cells), dtype=bool).any(axis=1)

    def weighted(weights: np.ndarray) -> float:
        drawn = np.repeat(x, weights[kept].astype(int), axis=0)
        return _w(drawn) if len(drawn) > 1 else float("nan")

    # Ranks change with every resample, so this one statistic is a loop; a few hundred suffice for its
    # interval.
    replicates = np.array([weighted(w) for w in resample.weights[:500]])
    low, high, se, remark = bootstrap_interval(replicates, value, resample.n_patients, level)
    return Estimate(value, low, high, se, len(x), "; ".join(filter(None, [note, remark])))
