"""Did the readers find out which image was generated? Bang's blinding index per arm from their guesses."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from cfcore.study.estimate import Estimate, undefined
from cfcore.study.intervals import bootstrap_mean, clopper_pearson
from cfcore.study.resampling import RESAMPLES, resample_patients
from cfcore.study.shaping import flat

GUESSES = ("right", "wrong", "unsure")
_WORTH = {"right": 1.0, "wrong": -1.0, "unsure": 0.0}


def bang_index(right: int, wrong: int, unsure: int = 0, *, level: float = 0.95) -> Estimate:
    """(right - wrong) / all guesses, in [-1, 1]: 1 everybody knew, 0 blind, -1 everybody believed the opposite.

    Bang, Ni and Davis 2004 (2 x 3 form), Wald interval with var (p_r + p_w - (p_r - p_w)^2) / n, cut at -1 and 1.
    Every guess counts as one unit; where patients or readers give several, see `blinding_table`. Degenerate: None with
    a note without guesses; where all guesses are alike the interval comes from Clopper-Pearson's bound, and a note.
    Raises ValueError for negative counts.
    """
    if min(right, wrong, unsure) < 0:
        raise ValueError(f"Counts {right, wrong, unsure} must not be negative.")
    n = right + wrong + unsure
    if n == 0:
        return undefined("no guess")
    index = (right - wrong) / n
    if n in (right, wrong, unsure):
        rest = 1 - (clopper_pearson(n, n, level).low or 0.0)
        low, high = max(index - (1 + abs(index)) * rest, -1.0), min(index + (1 + abs(index)) * rest, 1.0)
        return Estimate(index, low, high, 0.0, n, "all guesses alike: exact bound")
    p, q = right / n, wrong / n
    se = float(np.sqrt((p + q - (p - q) ** 2) / n))
    half = float(norm.ppf((1 + level) / 2)) * se
    return Estimate(index, max(index - half, -1.0), min(index + half, 1.0), se, n)


def blinding_table(
    guesses: pd.DataFrame,
    rng: np.random.Generator,
    *,
    by: Sequence[str] = ("arm",),
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per arm (or per value of `by`, such as arm and reader): Bang's index of the readers' guesses.

    guesses: patient, reader, `guess` ("right", "wrong", "unsure"; NA: not asked or not answered, left out) and the
    columns of `by`. Columns: those, right, wrong, unsure, readers, patients, `index` with the bootstrap over patients
    (_low, _high, _note). Raises ValueError for another guess.
    """
    known = guesses[guesses["guess"].notna()]
    if strange := sorted(set(known["guess"].astype(str)) - set(GUESSES)):
        raise ValueError(f"Guesses {strange}: expected {', '.join(GUESSES)}, or nothing.")
    rows: list[dict[str, Any]] = []
    for key, data in known.groupby(list(by), sort=False):
        worth = np.asarray(data["guess"].map(_WORTH), dtype=np.float64)
        resample = resample_patients(list(data["patient"]), rng, resamples)
        row: dict[str, Any] = dict(zip(by, key, strict=True))
        row |= {name: int((data["guess"] == name).sum()) for name in GUESSES}
        row |= {"readers": data["reader"].nunique(), "patients": data["patient"].nunique()}
        rows.append(row | flat("index", bootstrap_mean(worth, np.ones(len(worth)), resample, level, (-1, 1))))
    columns = [*by, *GUESSES, "readers", "patients", *flat("index", undefined(""))]
    return pd.DataFrame(rows, columns=columns)
