"""Sensitivity of the results to "cannot assess": left out (primary), absent, present, or a category of its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from cfcore.study.agreement import Table, brennan_prediger, gwet_ac, krippendorff_alpha, percent_agreement
from cfcore.study.agreement.binary import binary_agreement
from cfcore.study.agreement.chance import ratio
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.intervals import settle_mean
from cfcore.study.protocol import Arm, Finding
from cfcore.study.resampling import RESAMPLES, Array, PatientDraws, draw_patients
from cfcore.study.shaping import flat, readings_only, split
from cfcore.study.stacking import CANNOT as STATUS_CANNOT
from cfcore.study.stacking import Stack, stack

Treatment = Literal["left out", "absent", "present", "own category"]
TREATMENTS: tuple[Treatment, ...] = ("left out", "absent", "present", "own category")
CANNOT = "cannot assess"
COEFFICIENTS: Mapping[str, Callable[..., Estimate]] = {
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


def _own_category(stacked: Stack, outcome: str, f: int) -> Table:
    """Not seen, seen, "cannot assess" of one finding as three categories."""
    codes = stacked.codes[outcome][f].astype(np.int64)
    codes = np.where(stacked.status[f] == STATUS_CANNOT, 2, codes)
    counts = np.stack([(codes == k).sum(axis=1) for k in range(3)], axis=1)
    return Table(counts.astype(float), (False, True, CANNOT), codes)


def _share(seen: Array, read: Array, draws: PatientDraws, level: float) -> Estimate:
    """Of (cases,) readings that count, those in which the outcome is seen."""
    known = len(np.unique(draws.patient_of[read > 0]))
    if not known:
        return undefined("no reading")
    value = float(seen.sum() / read.sum())
    above, below = (draws.weights @ draws.by_patient(np.stack([seen, read], axis=1))).T
    return settle_mean(value, ratio(above, below), known, level, (0, 1), unchanged=not seen.any())


def _arm_rows(
    data: pd.DataFrame, keys: Sequence[str], outcome: str, rng: np.random.Generator, resamples: int, level: float
) -> list[list[dict[str, Any]]]:
    """Per finding the numbers of each treatment, all on the same resamples."""
    stacked = stack(data, keys, (outcome,))
    draws = draw_patients(stacked.patients, rng, resamples)
    rows: list[list[dict[str, Any]]] = [[] for _ in keys]
    for treatment in TREATMENTS[:3]:
        codes = stack(treat_cannot(data, treatment), keys, (outcome,)).codes[outcome]
        agreement = binary_agreement(codes, draws, level)
        for f, row in enumerate(rows):
            seen, read = (x.sum(axis=1).astype(float) for x in (codes[f] == 1, codes[f] >= 0))
            row.append({"readings": int(read.sum())} | flat("share", _share(seen, read, draws, level)))
            for name in COEFFICIENTS:
                row[-1] |= flat(name, agreement[f][name])
    resample = draws.rows()
    for f, row in enumerate(rows):
        table = _own_category(stacked, outcome, f)
        read = table.per_case
        row.append({"readings": int(read.sum())} | flat("share", _share(table.counts[:, 1], read, draws, level)))
        for name, coefficient in COEFFICIENTS.items():
            row[-1] |= flat(name, coefficient(table, resample=resample, level=level))
    return rows


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
    data_of = split(readings_only(decoded), ("arm",))
    keys = [finding.key for finding in findings]
    by_arm = [_arm_rows(data_of((arm.key,)), keys, outcome, rng, resamples, level) for arm in arms]
    rows = []
    for f, finding in enumerate(findings):
        for arm, cells in zip(arms, by_arm, strict=True):
            data = data_of((arm.key,))
            cannot = int(((data["finding"] == finding.key) & (data["status"] == "cannot")).sum())
            for treatment, numbers in zip(TREATMENTS, cells[f], strict=True):
                head = {"finding": finding.key, "label": finding.label, "arm": arm.key, "arm_name": arm.name}
                rows.append(head | {"treatment": treatment, "cannot": cannot} | numbers)
    return pd.DataFrame(rows)
