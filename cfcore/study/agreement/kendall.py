"""Kendall's W: how far readers rank the cases alike."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cfcore.study.agreement.chance import ratio
from cfcore.study.agreement.icc import complete_cases
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.resampling import Array, Resample, bootstrap_interval
from cfcore.wording import counted


def _concordance(x: Array, w: Array) -> Array:
    """(b,) W of cases drawn w (b, cases) times each; ranks follow from how much weight lies below and beside."""
    k, n = w.sum(axis=1), x.shape[1]
    ranks = np.zeros_like(w)
    ties = np.zeros(len(w))
    for column in x.T:
        same = (column[None, :] == column[:, None]).astype(float)
        beside = w @ same
        ranks += w @ (column[:, None] < column[None, :]) + (beside + 1) / 2
        # Each of the c drawn cases of a tie brings its share of c^3 - c.
        ties += np.sum(w * (beside**2 - 1), axis=1)
    spread = np.sum(w * (ranks - n * (k[:, None] + 1) / 2) ** 2, axis=1)
    return ratio(12 * spread, n**2 * (k**3 - k) - n * ties)


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
    value = float(_concordance(x, np.ones((1, len(x))))[0])
    if not np.isfinite(value):
        return undefined("every reader rates all cases alike", len(x))
    note = f"{counted(len(cells) - len(x), 'case')} with a gap left out" if len(x) < len(cells) else ""
    if resample is None:
        return Estimate(value, n=len(x), note=note)
    kept = ~np.asarray(pd.isna(cells), dtype=bool).any(axis=1)
    replicates = _concordance(x, resample.weights[:, kept])
    low, high, se, remark = bootstrap_interval(replicates, value, resample.n_patients, level)
    return Estimate(value, low, high, se, len(x), "; ".join(filter(None, [note, remark])))
