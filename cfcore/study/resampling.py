"""Bootstrap over patients, vectorised: a resample is a row of weights, so every statistic is a matrix product."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

Array = NDArray[np.float64]

RESAMPLES = 2000
# Below this share of usable resamples an interval would describe the lucky ones only.
_ENOUGH = 0.5


@dataclass(frozen=True)
class Resample:
    """Resamples of patients for rows that belong to them.

    weights: (resamples, rows), how often each row occurs in each resample; rows of one patient always go
    together. patient_of: (rows,), the index of each row's patient.
    """

    weights: Array
    patient_of: NDArray[np.int64]

    @property
    def n_patients(self) -> int:
        return int(self.patient_of.max(initial=-1)) + 1


def resample_patients(patients: Sequence[Hashable], rng: np.random.Generator, resamples: int = RESAMPLES) -> Resample:
    """Draw `resamples` bootstrap samples of patients with replacement. patients: the patient of every row."""
    index = {patient: i for i, patient in enumerate(dict.fromkeys(patients))}
    patient_of = np.array([index[p] for p in patients], dtype=np.int64)
    n = len(index)
    if n == 0:
        return Resample(np.zeros((resamples, 0)), patient_of)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(float)
    return Resample(drawn[:, patient_of], patient_of)


def _tail(level: float, n: int) -> float:
    """One-sided tail that makes a percentile interval as wide as a t interval (Hesterberg 2015, section 5.3)."""
    return float(norm.cdf(-np.sqrt(n / (n - 1)) * t.ppf((1 + level) / 2, n - 1)))


def bootstrap_interval(
    replicates: Array, value: float, n_patients: int, level: float = 0.95
) -> tuple[float | None, float | None, float | None, str]:
    """Interval of a statistic from its bootstrap replicates: (low, high, standard error, note).

    replicates: (resamples,) with nan where a resample left the statistic undefined (dropped, and said in the
    note). Percentiles with tails widened for few patients (Hesterberg 2015), since plain ones are too narrow
    by about sqrt((n - 1) / n) and by normal instead of t quantiles. All None with a note for fewer than 2
    patients or where most resamples are undefined, or where all give one value: no spread is no certainty.
    """
    good = replicates[np.isfinite(replicates)]
    if n_patients < 2:
        return None, None, None, "one patient: no interval"
    if len(good) < _ENOUGH * len(replicates):
        return None, None, None, f"no interval: defined in only {len(good)} of {len(replicates)} resamples"
    note = "" if len(good) == len(replicates) else f"defined in {len(good)} of {len(replicates)} resamples"
    spread = float(good.std(ddof=1))
    if spread < 1e-12:
        return None, None, None, "no interval: all resamples agree"
    tail = _tail(level, n_patients)
    low, high = np.quantile(good, [tail, 1 - tail])
    # A skewed bootstrap may leave the estimate itself outside: an interval that excludes its value misleads.
    return min(float(low), value), max(float(high), value), spread, note
