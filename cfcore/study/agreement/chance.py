"""What all chance-corrected coefficients share: (pa - pe) / (1 - pe), its interval and its degenerate answers."""

from collections.abc import Callable

import numpy as np
from scipy.stats import t

from cfcore.study.agreement.table import Table
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.intervals import clopper_pearson
from cfcore.study.resampling import Array, Resample, bootstrap_interval

_ZERO = 1e-9
# Maps (b, cases) weights to observed and chance agreement, (b,) each; nan where a row of weights leaves no
# case.
Parts = Callable[[Array], tuple[Array, Array]]


def ratio(numerator: Array, denominator: Array) -> Array:
    """Quotient with nan, not a warning, where the denominator is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.abs(denominator) > _ZERO, numerator / denominator, np.nan)


def case_agreement(table: Table, weights: Array) -> tuple[Array, Array]:
    """Share of agreeing reader pairs of each case (0 where it has one reading), and 1.0 where it has two or more."""
    r = table.per_case
    agreeing = np.sum(table.counts * (table.counts @ weights.T - 1), axis=1)
    several = (r >= 2).astype(float)
    return several * agreeing / np.where(r >= 2, r * (r - 1), 1), several


def observed(table: Table, weights: Array, w: Array) -> Array:
    """(b,) observed agreement pa: mean over cases with two readings or more (Gwet 2014, eq. 5.3)."""
    share, several = case_agreement(table, weights)
    return ratio(w @ share, w @ several)


def prevalence(table: Table, w: Array) -> Array:
    """(b, q) share of each category: mean over cases of the share of their readings (Gwet 2014, eq. 5.4)."""
    r = table.per_case
    shares = table.counts / np.where(r > 0, r, 1)[:, None]
    return ratio(w @ shares, (w @ (r > 0).astype(float))[:, None])


def corrected(pa: Array, pe: Array) -> Array:
    """(b,) (pa - pe) / (1 - pe), nan where chance agreement is 1."""
    return ratio(pa - pe, 1 - pe)


def finish(
    parts: Parts,
    table: Table,
    influence: Callable[[], Array] | None,
    resample: Resample | None,
    level: float,
) -> Estimate:
    """The estimate of a coefficient.

    parts: see `Parts`. influence: gives (units,) values x_i around the coefficient with variance
    sum (x_i - value)^2 / (n (n - 1)), Gwet's form of the published variances, used with t and n - 1 degrees
    of freedom. resample: take the bootstrap over patients instead. Degenerate answers: no case with two
    readings, or all readings in one category where that makes chance agreement 1: None and a note. No
    disagreement at all: the coefficient is 1, and the interval's lower end comes from Clopper-Pearson's bound
    on the share of cases in agreement, with the number of cases (patients under the bootstrap), since neither
    way sees any spread.
    """
    n = table.n_multiple
    if n == 0:
        return undefined("no case has two readings")
    pa_all, pe_all = parts(np.ones((1, len(table.counts))))
    pa, pe = float(pa_all[0]), float(pe_all[0])
    if resample is not None and resample.weights.shape[1] != len(table.counts):
        raise ValueError(
            f"The resample has {resample.weights.shape[1]} rows, the table {len(table.counts)} cases: "
            "draw it from the patients of these cases."
        )
    units, replicates = n, None
    if resample is not None:
        units = len(np.unique(resample.patient_of[table.per_case >= 2]))
        replicates = corrected(*parts(resample.weights))
    found = settle(pa, pe, n, units, replicates, resample.n_patients if resample is not None else 0, level)
    value = found.value
    if value is None or found.low is not None or found.note or influence is None or n < 2:
        return found
    x = influence()
    # Gwet divides by n^2 in the chapters on two readers, by n (n - 1) where there may be more, or gaps.
    two_readers = len(x) == n and table.codes is not None and table.codes.shape[1] == 2
    divisor = len(x) ** 2 if two_readers else len(x) * (len(x) - 1)
    se = float(np.sqrt(np.sum((x - value) ** 2) / divisor))
    half = float(t.ppf((1 + level) / 2, len(x) - 1)) * se
    return Estimate(value, min(max(value - half, -1.0), value), min(value + half, 1.0), se, n)


def settle(
    pa: float, pe: float, n: int, units: int, replicates: Array | None, n_patients: int, level: float
) -> Estimate:
    """The coefficient of observed and chance agreement, with its degenerate answers (see `finish`).

    n: cases with two readings or more. units: what the exact bound counts where nobody disagrees (cases, or patients
    under the bootstrap). replicates: (resamples,) coefficients of the resamples, None for no interval.
    """
    if n == 0:
        return undefined("no case has two readings")
    value = float(corrected(np.array([pa]), np.array([pe]))[0])
    if not np.isfinite(value):
        return undefined(f"not defined: chance agreement is 1 (raw agreement {pa:.2f})", n)
    if pa > 1 - _ZERO:
        bound = clopper_pearson(units, units, level).low or 0.0
        low = (bound - pe) / (1 - pe)
        return Estimate(1.0, max(low, -1.0), 1.0, 0.0, n, "no disagreement: exact lower bound")
    if replicates is None:
        return Estimate(value, n=n)
    low_b, high_b, se, note = bootstrap_interval(replicates, value, n_patients, level)
    return Estimate(value, low_b, high_b, se, n, note)
