"""Sensitivity of the results to "cannot assess": left out (primary), absent, present, or a category of its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from cfcore.study.agreement import as_table, brennan_prediger, gwet_ac, krippendorff_alpha, percent_agreement
from cfcore.study.estimate import Estimate
from cfcore.study.intervals import bootstrap_mean
from cfcore.study.protocol import Arm, Finding
from cfcore.study.resampling import RESAMPLES, resample_patients
from cfcore.study.shaping import flat, readings_only, split, wide

Treatment = Literal["left out", "absent", "present", "own category"]
TREATMENTS: tuple[Treatment, ...] = ("left out", "absent", "present", "own category")
CANNOT = "cannot assess"
_COEFFICIENTS: Mapping[str, Callable[..., Estimate]] = {
    "raw_agreement": percent_agreement,
    "ac1": gwet_ac,
    "brennan_prediger": brennan_prediger,
    "alpha": krippendorff_alpha,
}


def treat_cannot(decoded: pd.DataFrame, treatment: Treatment) -> pd.DataFrame:
    """`decoded` with "cannot assess" counted as `treatment` says, in each of the four outcomes on its own.

    "absent" makes in_original, in_counterfactual, appears and disappears False, "present" makes them True (the lowest
    and the highest share that the answers allow); both set the status to "assessed". "left out" and "own category"
    leave the table as it is (the latter is one of agreement: see `cannot_assess_table`). Missing answers stay missing.
    Raises ValueError for another treatment.
    """
    if treatment not in TREATMENTS:
        raise ValueError(f"Unknown treatment “{treatment}”: use {', '.join(TREATMENTS)}.")
    if treatment in ("left out", "own category"):
        return decoded
    out = decoded.copy()
    cannot = out["status"] == "cannot"
    out.loc[cannot, ["in_original", "in_counterfactual", "appears", "disappears"]] = treatment == "present"
    out.loc[cannot, "status"] = "assessed"
    return out


def _row(
    data: pd.DataFrame, outcome: str, treatment: Treatment, rng: np.random.Generator, resamples: int, level: float
) -> dict[str, Any]:
    treated = treat_cannot(data, treatment)
    cases = wide(treated, outcome)
    resample = resample_patients(list(cases.index.get_level_values("patient")), rng, resamples)
    categories: tuple[Any, ...] = (False, True)
    if treatment == "own category" and len(cases):
        cannot = wide(data.assign(cannot=(data["status"] == "cannot").astype("boolean")), "cannot")
        cases = cases.astype(object).where(~cannot.fillna(False).astype(bool), CANNOT)
        categories = (False, True, CANNOT)
    table = as_table(cases if len(cases) else np.empty((0, 0)), categories)
    row: dict[str, Any] = {"readings": int(table.per_case.sum())}
    row |= flat("share", bootstrap_mean(table.counts[:, 1], table.per_case, resample, level))
    for name, coefficient in _COEFFICIENTS.items():
        row |= flat(name, coefficient(table, resample=resample, level=level))
    return row


def cannot_assess_table(
    decoded: pd.DataFrame,
    findings: Sequence[Finding],
    arms: Sequence[Arm],
    rng: np.random.Generator,
    *,
    outcome: str = "appears",
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per finding, arm and treatment of "cannot assess": does any conclusion hang on it?

    Columns: finding, label, arm, arm_name, treatment ("left out", the primary analysis, "absent", "present", "own
    category"), cannot (answers treated), readings that count, `share` of them in which the outcome is seen (in "own
    category" out of all three answers), `raw_agreement`, `ac1`, `brennan_prediger`, `alpha`, each _low, _high, _note
    (bootstrap over patients). Every treatment of a cell is resampled alike. First readings only.
    """
    data_of = split(readings_only(decoded), ("finding", "arm"))
    rows = []
    for finding in findings:
        for arm in arms:
            data = data_of((finding.key, arm.key))
            seed = int(rng.integers(2**63))
            for treatment in TREATMENTS:
                head: dict[str, Any] = {
                    "finding": finding.key,
                    "label": finding.label,
                    "arm": arm.key,
                    "arm_name": arm.name,
                }
                head |= {"treatment": treatment, "cannot": int((data["status"] == "cannot").sum())}
                rows.append(head | _row(data, outcome, treatment, np.random.default_rng(seed), resamples, level))
    return pd.DataFrame(rows)
