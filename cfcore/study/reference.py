"""Readers against a reference: sensitivity, specificity, area under the curve, and d' for real or generated."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm

from cfcore.study.estimate import Estimate, undefined
from cfcore.study.intervals import bootstrap_mean, clopper_pearson, wilson
from cfcore.study.resampling import RESAMPLES, Array, Resample, bootstrap_interval, resample_patients
from cfcore.study.shaping import flat

_SHARES = ("sensitivity", "specificity", "ppv", "npv", "accuracy")


def _rate(hits: int, n: int) -> float:
    """Log-linear rule: half a hit and half a miss are added, so that no rate is 0 or 1 (Hautus 1995)."""
    return (hits + 0.5) / (n + 1)


def _check_counts(hits: int, signals: int, false_alarms: int, noise: int) -> Estimate | None:
    if not 0 <= hits <= signals or not 0 <= false_alarms <= noise:
        raise ValueError(f"{hits} of {signals} and {false_alarms} of {noise}: expected 0 <= part <= whole.")
    if signals == 0 or noise == 0:
        return undefined("no signal trial" if signals == 0 else "no noise trial", signals + noise)
    return None


def _signal_detection(
    hits: int, signals: int, false_alarms: int, noise: int, ends: tuple[float, float], level: float
) -> Estimate:
    """ends: factors of z(hit rate) and z(false-alarm rate)."""
    if (nothing := _check_counts(hits, signals, false_alarms, noise)) is not None:
        return nothing
    value = variance = 0.0
    for factor, k, n in zip(ends, (hits, false_alarms), (signals, noise), strict=True):
        rate = _rate(k, n)
        z = float(norm.ppf(rate))
        value += factor * z
        variance += factor**2 * rate * (1 - rate) / (n * float(norm.pdf(z)) ** 2)
    half = float(norm.ppf((1 + level) / 2)) * np.sqrt(variance)
    extreme = hits in (0, signals) or false_alarms in (0, noise)
    note = "a rate of 0 or 1: log-linear rule" if extreme else ""
    return Estimate(value, float(value - half), float(value + half), float(np.sqrt(variance)), signals + noise, note)


def d_prime(hits: int, signals: int, false_alarms: int, noise: int, *, level: float = 0.95) -> Estimate:
    """z(hit rate) - z(false-alarm rate): 0 for a guessing reader (Green and Swets 1966).

    hits of signals trials (generated images called generated), false_alarms of noise trials (real ones called so).
    Rates by the log-linear rule (Hautus 1995), always; variance of Gourevitch and Galanter 1967. None with a note
    without signal or noise trials. Raises ValueError for counts that do not fit.
    """
    return _signal_detection(hits, signals, false_alarms, noise, (1.0, -1.0), level)


def criterion(hits: int, signals: int, false_alarms: int, noise: int, *, level: float = 0.95) -> Estimate:
    """-(z(hit rate) + z(false-alarm rate)) / 2: above 0 the reader calls few images generated. As `d_prime`."""
    return _signal_detection(hits, signals, false_alarms, noise, (-0.5, -0.5), level)


def d_prime_forced_choice(correct: int, n: int, *, level: float = 0.95) -> Estimate:
    """sqrt(2) z(share correct) of n two-alternative forced choices (Green and Swets 1966), log-linear rule.

    None with a note for n = 0. Raises ValueError unless 0 <= correct <= n.
    """
    if not 0 <= correct <= n:
        raise ValueError(f"{correct} of {n}: expected 0 <= correct <= n.")
    if n == 0:
        return undefined("no choice")
    rate = _rate(correct, n)
    z = float(norm.ppf(rate))
    se = float(np.sqrt(2 * rate * (1 - rate) / n) / norm.pdf(z))
    half = float(norm.ppf((1 + level) / 2)) * se
    note = "a rate of 0 or 1: log-linear rule" if correct in (0, n) else ""
    value = float(np.sqrt(2)) * z
    return Estimate(value, value - half, value + half, se, n, note)


def auc(scores: ArrayLike, truth: ArrayLike, *, resample: Resample | None = None, level: float = 0.95) -> Estimate:
    """Area under the ROC curve, in [0, 1]: chance that a positive scores above a negative, ties half.

    scores: (n,) numbers, nan left out. truth: (n,) booleans. Interval: DeLong 1988 on the logit scale (Pepe 2003), or
    the bootstrap over patients where a `resample` for the rows is given. Degenerate: None with a note where a class is
    missing; at 0 or 1 the interval's open end is Clopper-Pearson's with the smaller class, and a note.
    """
    s, y = np.asarray(scores, dtype=float), np.asarray(truth, dtype=bool)
    known = np.isfinite(s)
    pos, neg = np.flatnonzero(known & y), np.flatnonzero(known & ~y)
    n = len(pos) + len(neg)
    if not len(pos) or not len(neg):
        return undefined("no positive case" if not len(pos) else "no negative case", n)
    above = np.where(s[pos][:, None] > s[neg][None], 1.0, np.where(s[pos][:, None] == s[neg][None], 0.5, 0.0))
    value = float(above.mean())
    if value in (0.0, 1.0):
        few = min(len(pos), len(neg))
        bound = clopper_pearson(few if value else 0, few, level)
        return Estimate(
            value, bound.low, bound.high, 0.0, n, "classes fully separated: exact bound of the smaller class"
        )
    if resample is not None:
        a, b = resample.weights[:, pos], resample.weights[:, neg]
        with np.errstate(invalid="ignore", divide="ignore"):
            replicates = np.sum((a @ above) * b, axis=1) / (a.sum(axis=1) * b.sum(axis=1))
        low, high, se, note = bootstrap_interval(replicates, value, resample.n_patients, level)
        return Estimate(value, low, high, se, n, note)
    if min(len(pos), len(neg)) < 2:
        return Estimate(value, n=n, note="a class has one case only: no interval")
    variance = above.mean(axis=1).var(ddof=1) / len(pos) + above.mean(axis=0).var(ddof=1) / len(neg)
    se = float(np.sqrt(variance))
    half = float(norm.ppf((1 + level) / 2)) * se / (value * (1 - value))
    middle = np.log(value / (1 - value))
    low, high = (float(1 / (1 + np.exp(-(middle + sign * half)))) for sign in (-1, 1))
    return Estimate(value, low, high, se, n)


def accuracy_table(
    readings: pd.DataFrame,
    rng: np.random.Generator,
    *,
    by: Sequence[str] = ("reader",),
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per value of `by` (such as reader, or finding and arm): readers scored against the reference.

    readings: reader, patient, `called` and `truth` (booleans; NA: not assessed, no reference), `score` where there are
    confidence ratings (higher: more surely present), and the columns of `by`. Columns: those, readings, positive,
    negative, without_reference, not_assessed, then sensitivity, specificity, ppv, npv, accuracy and auc, each _low,
    _high, _note. Wilson where every patient has one reading in the row, else the bootstrap over patients; the area is
    DeLong's or the bootstrap's, with `called` as the score where there is none (then (sensitivity + specificity) / 2).
    """
    rows = []
    for key, data in readings.groupby(list(by), sort=False):
        known = data[data["called"].notna() & data["truth"].notna()]
        called = known["called"].to_numpy(dtype=bool)
        truth = known["truth"].to_numpy(dtype=bool)
        row: dict[str, Any] = dict(zip(by, key, strict=True)) | {
            "readings": len(known),
            "positive": int(truth.sum()),
            "negative": int((~truth).sum()),
            "without_reference": int(data["truth"].isna().sum()),
            "not_assessed": int((data["called"].isna() & data["truth"].notna()).sum()),
        }
        clustered = bool(known["patient"].duplicated().any())
        resample = resample_patients(list(known["patient"]), rng, resamples) if clustered else None
        of = {
            "sensitivity": (called & truth, truth),
            "specificity": (~called & ~truth, ~truth),
            "ppv": (called & truth, called),
            "npv": (~called & ~truth, ~called),
            "accuracy": (called == truth, np.ones(len(known), dtype=bool)),
        }
        for name, (part, whole) in of.items():
            row |= flat(name, _share(part, whole, resample, level))
        score = known["score"] if "score" in known else known["called"]
        row |= flat("auc", auc(pd.to_numeric(score).to_numpy(dtype=float), truth, resample=resample, level=level))
        rows.append(row)
    counts = ["readings", "positive", "negative", "without_reference", "not_assessed"]
    estimates = [column for name in (*_SHARES, "auc") for column in flat(name, undefined(""))]
    return pd.DataFrame(rows, columns=[*by, *counts, *estimates])


def _share(part: Array, whole: Array, resample: Resample | None, level: float) -> Estimate:
    if not whole.any():
        return undefined("no case of this kind")
    if resample is None:
        return wilson(int(part.sum()), int(whole.sum()), level)
    return bootstrap_mean(part.astype(float), whole.astype(float), resample, level)
