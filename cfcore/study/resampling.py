"""Bootstrap over patients, vectorised: a resample is a row of weights, so every statistic is a matrix product."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import ndtr, stdtrit

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


@dataclass(frozen=True)
class PatientDraws:
    """The same as `Resample` with one column a patient: for tables whose rows are many more than their patients.

    weights: (resamples, patients), how often each patient is drawn. patient_of: (rows,), the index of each row's
    patient.
    """

    weights: Array
    patient_of: NDArray[np.int64]

    @property
    def n_patients(self) -> int:
        return self.weights.shape[1]

    def by_patient(self, columns: Array) -> Array:
        """(patients, c) sums of (rows, c) columns within each patient. Raises ValueError for another number of rows."""
        if len(columns) != len(self.patient_of):
            raise ValueError(
                f"The resample has {len(self.patient_of)} rows, the table {len(columns)} cases: "
                "draw it from the patients of these cases."
            )
        n = self.n_patients
        if n == len(columns) and (self.patient_of == np.arange(n)).all():
            return columns
        together = csr_array(
            (np.ones(len(columns)), (self.patient_of, np.arange(len(columns)))), shape=(n, len(columns))
        )
        return np.asarray(together @ columns)

    def rows(self) -> Resample:
        """The same draws with one column a row."""
        return Resample(self.weights[:, self.patient_of], self.patient_of)


def draw_patients(patients: Sequence[Hashable], rng: np.random.Generator, resamples: int = RESAMPLES) -> PatientDraws:
    """Draw `resamples` bootstrap samples of patients with replacement. patients: the patient of every row."""
    index = {patient: i for i, patient in enumerate(dict.fromkeys(patients))}
    patient_of = np.array([index[p] for p in patients], dtype=np.int64)
    n = len(index)
    if n == 0:
        return PatientDraws(np.zeros((resamples, 0)), patient_of)
    return PatientDraws(rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(float), patient_of)


def draw_readers(readers: int, rng: np.random.Generator, resamples: int = RESAMPLES) -> Array:
    """(resamples, readers) how often each reader is drawn with replacement."""
    if readers == 0:
        return np.zeros((resamples, 0))
    return rng.multinomial(readers, np.full(readers, 1 / readers), size=resamples).astype(float)


def resample_patients(patients: Sequence[Hashable], rng: np.random.Generator, resamples: int = RESAMPLES) -> Resample:
    """Draw `resamples` bootstrap samples of patients with replacement. patients: the patient of every row."""
    return draw_patients(patients, rng, resamples).rows()


@lru_cache(maxsize=4096)
def _tail(level: float, n: int) -> float:
    """One-sided tail that makes a percentile interval as wide as a t interval (Hesterberg 2015, section 5.3)."""
    return float(ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + level) / 2)))


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
