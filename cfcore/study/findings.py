"""The results of a study: which finding appears under which arm, and how far the readers agree.

Every function starts from the tables of `decode`; the patient is the unit of every interval. Repeats and
controls are left out.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from cfcore.study.agreement import (
    Table,
    as_table,
    bias_index,
    brennan_prediger,
    conger_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    percent_agreement,
    prevalence_index,
    specific_agreement,
)
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.intervals import bootstrap_mean, newcombe_paired, wilson
from cfcore.study.protocol import Arm, Finding
from cfcore.study.readers import readers_table
from cfcore.study.resampling import RESAMPLES, Resample, resample_patients
from cfcore.study.shaping import flat, readings_only, split, wide

Outcome = Literal["appears", "disappears", "in_original", "in_counterfactual"]
BINARY = (False, True)
COEFFICIENTS: Mapping[str, Callable[..., Estimate]] = {
    "raw_agreement": percent_agreement,
    "ac1": gwet_ac,
    "fleiss": fleiss_kappa,
    "conger": conger_kappa,
    "brennan_prediger": brennan_prediger,
    "alpha": krippendorff_alpha,
}


def _binary(cases: pd.DataFrame) -> Table:
    return as_table(cases, BINARY)


def majority(cases: pd.DataFrame) -> bool | None:
    """Whether the majority of readers saw it in the majority of cases; more than half each time, None if
    unread.

    cases: (cases, readers) booleans. A reader who could not assess a case does not count in it, nor does a
    case that nobody could assess.
    """
    table = _binary(cases)
    read = table.per_case > 0
    if not read.any():
        return None
    seen = table.counts[read, 1] * 2 > table.per_case[read]
    return bool(seen.sum() * 2 > len(seen))


def _share(table: Table, resample: Resample, level: float) -> Estimate:
    return bootstrap_mean(table.counts[:, 1], table.per_case, resample, level)


def _difference(original: Table, counterfactual: Table, resample: Resample, level: float) -> Estimate:
    change = counterfactual.counts[:, 1] - original.counts[:, 1]
    return bootstrap_mean(change, original.per_case, resample, level, bounds=(-1, 1))


def _cell(
    data: pd.DataFrame, outcome: Outcome, rng: np.random.Generator, resamples: int, level: float
) -> dict[str, Any]:
    """All numbers of one finding under one arm."""
    status = data["status"].value_counts()
    row: dict[str, Any] = {
        "pairs": data["pair"].nunique(),
        "patients": data["patient"].nunique(),
        "readers": data.loc[data["status"] != "missing", "reader"].nunique(),
        "readings": int(status.get("assessed", 0)),
        "cannot": int(status.get("cannot", 0)),
        "missing": int(status.get("missing", 0)),
    }
    cases = wide(data, outcome)
    patients: list[Hashable] = list(cases.index.get_level_values("patient"))
    resample = resample_patients(patients, rng, resamples)
    table = _binary(cases)
    original, counterfactual = (_binary(wide(data, name)) for name in ("in_original", "in_counterfactual"))
    row |= flat("share", _share(table, resample, level))
    row["majority"] = majority(cases)
    row |= flat("prevalence_original", _share(original, resample, level))
    row |= flat("prevalence_counterfactual", _share(counterfactual, resample, level))
    row |= flat("difference", _difference(original, counterfactual, resample, level))
    for name, coefficient in COEFFICIENTS.items():
        row |= flat(name, coefficient(table, resample=resample, level=level))
    row |= flat("positive_agreement", specific_agreement(table, True, resample=resample, level=level))
    row |= flat("negative_agreement", specific_agreement(table, False, resample=resample, level=level))
    row["prevalence_index"] = prevalence_index(table).value
    row["bias_index"] = bias_index(table).value
    return row


def findings_table(
    decoded: pd.DataFrame,
    findings: Sequence[Finding],
    arms: Sequence[Arm],
    rng: np.random.Generator,
    *,
    outcome: Outcome = "appears",
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per finding and arm, in the order of the protocol: Table 2 of the paper with its uncertainty.

    decoded: from `decode_readings`. outcome: what counts as seen, "appears" (in the counterfactual, not in
    the original) unless a study asks for removal. Columns: finding, label, kind, arm, arm_name, counts
    (pairs, patients, readers, readings, cannot, missing), `share` of readings in which the outcome is seen,
    `majority`, `prevalence_original` and `prevalence_counterfactual` as seen in pairs, their `difference`,
    `raw_agreement`, `ac1`, `fleiss`, `conger`, `brennan_prediger`, `alpha`, `positive_agreement`,
    `negative_agreement`, each with _low, _high (95 % bootstrap over patients: these readers) and _note, then
    `prevalence_index`, `bias_index`. Agreement is on the outcome. None where undefined, and the note says
    why.
    """
    data_of = split(readings_only(decoded), ("finding", "arm"))
    rows = []
    for finding in findings:
        for arm in arms:
            data = data_of((finding.key, arm.key))
            head = {
                "finding": finding.key,
                "label": finding.label,
                "kind": finding.kind,
                "arm": arm.key,
                "arm_name": arm.name,
            }
            rows.append(head | _cell(data, outcome, rng, resamples, level))
    frame = pd.DataFrame(rows)
    # True, False or None, whatever the other rows hold.
    return frame.astype({"majority": object}) if len(frame) else frame


def per_reader(
    decoded: pd.DataFrame, findings: Sequence[Finding], arms: Sequence[Arm], *, level: float = 0.95
) -> pd.DataFrame:
    """One row per reader, finding and arm.

    Columns: reader, finding, label, arm, arm_name, readings, cannot, missing, `share` in which it appears and
    `prevalence_original`, `prevalence_counterfactual` (Wilson), `difference` of the two (Newcombe's method
    10), each with _low, _high, _note.
    """
    first = readings_only(decoded)
    data_of = split(first, ("reader", "finding", "arm"))
    rows: list[dict[str, Any]] = []
    for reader in dict.fromkeys(first["reader"]):
        for finding in findings:
            for arm in arms:
                data = data_of((reader, finding.key, arm.key))
                seen = data[data["status"] == "assessed"]
                n = len(seen)
                both = int((seen["in_original"] & seen["in_counterfactual"]).sum())
                appears, disappears = int(seen["appears"].sum()), int(seen["disappears"].sum())
                neither = n - both - appears - disappears
                row: dict[str, Any] = {
                    "reader": reader,
                    "finding": finding.key,
                    "label": finding.label,
                    "arm": arm.key,
                    "arm_name": arm.name,
                    "readings": n,
                    "cannot": int((data["status"] == "cannot").sum()),
                    "missing": int((data["status"] == "missing").sum()),
                }
                row |= flat("share", wilson(appears, n, level))
                row |= flat("prevalence_original", wilson(both + disappears, n, level))
                row |= flat("prevalence_counterfactual", wilson(both + appears, n, level))
                row |= flat("difference", newcombe_paired(both, appears, disappears, neither, level))
                rows.append(row)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Headline:
    """The line of numbers above the results."""

    readings_done: int
    readings_planned: int
    readers: int
    pairs: int
    patients: int
    ac1: Estimate
    raw_agreement: Estimate
    median_seconds: float | None
    cannot_share: float | None


def headline(
    decoded: pd.DataFrame,
    rng: np.random.Generator,
    *,
    outcome: Outcome = "appears",
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Headline:
    """Readings (a reader's cases) done of planned, agreement pooled over all findings and arms, median
    seconds.

    Pooled AC1 treats every (pair, finding) as a case and resamples whole patients. Planned are the trials in
    `decoded`, so unread trials must be among its rows.
    """
    first = readings_only(decoded)
    readers = readers_table(decoded)
    cases = wide(first, outcome, ("patient", "pair", "finding"))
    pooled = raw = undefined("no case has two readings")
    if len(cases):
        resample = resample_patients(list(cases.index.get_level_values("patient")), rng, resamples)
        table = _binary(cases)
        pooled = gwet_ac(table, resample=resample, level=level)
        raw = percent_agreement(table, resample=resample, level=level)
    trials = first.drop_duplicates(["reader", "pair"])
    done = first[first["status"] != "missing"].drop_duplicates(["reader", "pair"])
    seconds = done["seconds"].dropna()
    given = int((first["status"] != "missing").sum())
    return Headline(
        readings_done=len(done),
        readings_planned=len(trials),
        readers=len(readers),
        pairs=first["pair"].nunique(),
        patients=first["patient"].nunique(),
        ac1=pooled,
        raw_agreement=raw,
        median_seconds=float(seconds.median()) if len(seconds) else None,
        cannot_share=float((first["status"] == "cannot").sum()) / given if given else None,
    )


def cases_table(decoded: pd.DataFrame, findings: Sequence[Finding], *, outcome: Outcome = "appears") -> pd.DataFrame:
    """One row per pair: arm, patient, pair, readers, then per finding "k/n", how many of n assessing readers saw it."""
    first = readings_only(decoded)
    rows = []
    for (arm, patient, pair), data in first.groupby(["arm", "patient", "pair"], sort=False):
        row: dict[str, Any] = {"arm": arm, "patient": patient, "pair": pair}
        row["readers"] = data.loc[data["status"] != "missing", "reader"].nunique()
        for finding in findings:
            seen = data[(data["finding"] == finding.key) & (data["status"] == "assessed")]
            row[finding.key] = f"{int(seen[outcome].sum())}/{len(seen)}"
        rows.append(row)
    return pd.DataFrame(rows, columns=["arm", "patient", "pair", "readers", *(f.key for f in findings)])
