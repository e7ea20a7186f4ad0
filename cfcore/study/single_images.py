"""Absolute prevalence: what readers see in one image that stands alone, before any pair."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cfcore.study.estimate import Estimate, undefined
from cfcore.study.intervals import bootstrap_mean
from cfcore.study.protocol import Arm, Finding
from cfcore.study.resampling import RESAMPLES, Array, bootstrap_interval, resample_patients
from cfcore.study.shaping import flat


def single_table(
    rows: Iterable[Mapping[str, Any]],
    findings: Sequence[Finding],
    arms: Sequence[Arm],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per finding and arm: share of "present" in originals and in counterfactuals shown alone.

    rows: trials; those of purpose "single" count: reader, arm, patient, original_side ("A": the original was shown,
    "B": the counterfactual) and `given` (finding key -> "present", "absent", "cannot"). Columns: finding, arm,
    arm_name, originals, counterfactuals (readings of each), cannot, missing, readers, patients, then with _low,
    _high, _note `prevalence_original`, `prevalence_counterfactual` and `difference` (counterfactual minus original).
    Each image is read alone by a reader who sees the other one only later, so the shares are not paired within readers;
    intervals are bootstraps over patients. Empty where no image was shown alone.
    """
    table = []
    for row in rows:
        if row.get("purpose") == "single":
            for finding in findings:
                answer = (row.get("given") or {}).get(finding.key)
                table.append((finding.key, row["arm"], row["reader"], row["patient"], row["original_side"], answer))
    data = pd.DataFrame(table, columns=["finding", "arm", "reader", "patient", "side", "answer"])
    if data.empty:
        return data.iloc[:0, :2]
    found = []
    for finding in findings:
        for arm in arms:
            cell = data[(data["finding"] == finding.key) & (data["arm"] == arm.key)]
            head = {"finding": finding.label, "arm": arm.key, "arm_name": arm.name}
            found.append(head | _row(cell, rng, resamples, level))
    return pd.DataFrame(found)


def _row(cell: pd.DataFrame, rng: np.random.Generator, resamples: int, level: float) -> dict[str, Any]:
    given = cell[cell["answer"].isin(["present", "absent"])]
    present: Array = np.asarray(given["answer"] == "present", dtype=np.float64)
    of_original: Array = np.asarray(given["side"] == "A", dtype=np.float64)
    of_moved: Array = 1 - of_original
    row: dict[str, Any] = {
        "originals": int(of_original.sum()),
        "counterfactuals": int(of_moved.sum()),
        "cannot": int((cell["answer"] == "cannot").sum()),
        "missing": int(cell["answer"].isna().sum()),
        "readers": given["reader"].nunique(),
        "patients": given["patient"].nunique(),
    }
    resample = resample_patients(list(given["patient"]), rng, resamples)
    original = bootstrap_mean(present * of_original, of_original, resample, level)
    moved = bootstrap_mean(present * of_moved, of_moved, resample, level)
    difference = undefined("one of the two was never shown alone")
    if original.value is not None and moved.value is not None:
        value, weights = moved.value - original.value, resample.weights
        replicates = _shares(present, of_moved, weights) - _shares(present, of_original, weights)
        low, high, se, note = bootstrap_interval(replicates, value, resample.n_patients, level)
        difference = Estimate(value, low, high, se, resample.n_patients, note)
    shares = flat("prevalence_original", original) | flat("prevalence_counterfactual", moved)
    return row | shares | flat("difference", difference)


def _shares(present: Array, counted: Array, weights: Array) -> Array:
    """(b,) share of "present" among the counted readings; nan where a resample holds none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights @ (present * counted)) / (weights @ counted))
