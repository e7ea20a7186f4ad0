"""Results of the ordinal ratings: how they spread in each arm, and how far the readers agree."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cfcore.study.agreement import FORMS, bland_altman, cohen_kappa, gwet_ac, icc, kendall_w, krippendorff_alpha
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.intervals import bootstrap_mean
from cfcore.study.protocol import Arm, Rating
from cfcore.study.resampling import RESAMPLES, resample_patients
from cfcore.study.shaping import flat, readings_only, wide

# The two forms that stand in the tables: readers drawn from many, one of them and the mean of all.
_ICC_NAMES = {"2,1": "icc", "2,k": "icc_mean"}


def _row(data: pd.DataFrame, rating: Rating, rng: np.random.Generator, resamples: int, level: float) -> dict[str, Any]:
    values = data["value"].dropna().astype(int)
    row: dict[str, Any] = {
        "pairs": data["pair"].nunique(),
        "readers": data.loc[data["value"].notna(), "reader"].nunique(),
        "readings": len(values),
        "missing": int(data["value"].isna().sum()),
        "median": float(values.median()) if len(values) else None,
    }
    row |= {f"share_{point}": float((values == point).mean()) if len(values) else None for point in points(rating)}
    cases = wide(data, "value")
    resample = resample_patients(list(cases.index.get_level_values("patient")) if len(cases) else [], rng, resamples)
    sums = cases.sum(axis=1).to_numpy(dtype=float) if len(cases) else np.zeros(0)
    counts = cases.notna().sum(axis=1).to_numpy(dtype=float) if len(cases) else np.zeros(0)
    mean = bootstrap_mean(sums, counts, resample, level, bounds=(1, rating.points))
    row |= flat("mean", mean)
    table = cases if len(cases) else np.empty((0, 0))
    categories = points(rating)
    row |= flat("ac2", gwet_ac(table, weights="quadratic", categories=categories, resample=resample, level=level))
    row |= flat(
        "alpha", krippendorff_alpha(table, metric="ordinal", categories=categories, resample=resample, level=level)
    )
    for form in FORMS:
        row |= flat(_ICC_NAMES.get(form, f"icc_{form.replace(',', '_')}"), icc(table, form, level))
    row |= flat("kendall_w", kendall_w(table, resample=resample, level=level))
    kappa: Estimate = undefined("weighted kappa is for two readers")
    limits = dict.fromkeys(("bias", "lower_limit", "upper_limit"), undefined("limits of agreement are for two readers"))
    if len(cases) and cases.shape[1] == 2:
        kappa = cohen_kappa(cases, weights="quadratic", categories=categories, resample=resample, level=level)
        found = bland_altman(cases, resample=resample, level=level)
        limits = {"bias": found.bias, "lower_limit": found.lower, "upper_limit": found.upper}
    row |= flat("weighted_kappa", kappa)
    for name, limit in limits.items():
        row |= flat(name, limit)
    return row


def points(rating: Rating) -> tuple[int, ...]:
    """The values of a scale, 1 to its number of points."""
    return tuple(range(1, rating.points + 1))


def ratings_table(
    decoded: pd.DataFrame,
    ratings: Sequence[Rating],
    arms: Sequence[Arm],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per rating and arm.

    decoded: from `decode_ratings`. Columns: rating, question, arm, arm_name, pairs, readers, readings,
    missing, median, share_1 .. share_points, then each with _low, _high, _note: `mean`, `ac2` (quadratic
    weights), `alpha` (ordinal), `icc` (2,1), `icc_mean` (2,k) and the other forms as icc_1_1, icc_3_1, icc_1_k,
    icc_3_k, `kendall_w`, and for two readers only `weighted_kappa` (quadratic) and Bland and Altman's `bias`
    (first - second), `lower_limit`, `upper_limit`. ICC has its F interval, the others the bootstrap over patients.
    None where undefined, and the note says why.
    """
    first = readings_only(decoded)
    rows = []
    for rating in ratings:
        for arm in arms:
            data = first[(first["rating"] == rating.key) & (first["arm"] == arm.key)]
            head = {"rating": rating.key, "question": rating.question, "arm": arm.key, "arm_name": arm.name}
            rows.append(head | _row(data, rating, rng, resamples, level))
    return pd.DataFrame(rows)
