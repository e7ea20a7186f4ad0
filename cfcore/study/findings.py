"""The results of a study: which finding appears under which arm, and how far the readers agree.

Every function starts from the tables of `decode`; the patient is the unit of every interval. Repeats and
controls are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cfcore.study.agreement import Table, as_table
from cfcore.study.agreement.binary import binary_agreement
from cfcore.study.agreement.chance import ratio
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.intervals import newcombe_paired, settle_mean, wilson
from cfcore.study.protocol import Arm, Finding
from cfcore.study.readers import readers_table
from cfcore.study.resampling import RESAMPLES, Array, PatientDraws, draw_patients, draw_readers
from cfcore.study.shaping import flat, readings_only, split
from cfcore.study.stacking import ASSESSED, CANNOT, MISSING, stack

Outcome = Literal["appears", "disappears", "in_original", "in_counterfactual"]
BINARY = (False, True)
# Fewer readers say too little about how readers differ.
READERS_LIKE_THESE = 5


def _binary(cases: pd.DataFrame) -> Table:
    return as_table(cases, BINARY)


def majority(cases: pd.DataFrame) -> bool | None:
    """Whether the majority of readers saw it in the majority of cases; more than half each time, None if
    unread.

    cases: (cases, readers) booleans. A reader who could not assess a case does not count in it, nor does a
    case that nobody could assess.
    """
    table = _binary(cases)
    return _majority(table.counts[:, 1], table.per_case)


def _majority(seen: Array | NDArray[np.int64], read: Array | NDArray[np.int64]) -> bool | None:
    """As `majority`, from how many readers saw it in each case and how many assessed it."""
    known = read > 0
    if not known.any():
        return None
    carried = seen[known] * 2 > read[known]
    return bool(carried.sum() * 2 > len(carried))


@dataclass(frozen=True)
class _Sums:
    """Positive readings and readings of each reader, (b, findings, readers): all cases, and resampled by patient."""

    chosen: Array
    seen: Array


def _reader_sums(codes: NDArray[np.int8], draws: PatientDraws) -> tuple[_Sums, _Sums]:
    findings, cases, readers = codes.shape
    columns = np.concatenate([codes == 1, codes >= 0], axis=2).astype(float)
    by_patient = draws.by_patient(columns.transpose(1, 0, 2).reshape(cases, findings * 2 * readers))
    both = []
    for w in (np.ones((1, len(by_patient))), draws.weights):
        total = (w @ by_patient).reshape(len(w), findings, 2 * readers)
        both.append(_Sums(total[:, :, :readers], total[:, :, readers:]))
    return both[0], both[1]


def _read_patients(codes: NDArray[np.int8], patient_of: NDArray[np.int64]) -> int:
    return len(np.unique(patient_of[(codes >= 0).any(axis=1)]))


def _share(
    name: str,
    above: tuple[Array, Array],
    below: tuple[Array, Array],
    codes: NDArray[np.int8],
    draws: PatientDraws,
    reader_weights: Array,
    level: float,
    bounds: tuple[float, float] = (0, 1),
) -> dict[str, Any]:
    """A share or difference over readings: of these readers, and of readers like these.

    above, below: its numerator and denominator for each reader, (1, readers) of all cases and (b, readers) resampled.
    codes: (cases, readers), for the counts.
    """
    n = _read_patients(codes, draws.patient_of)
    if n == 0:
        nothing = undefined("no reading")
        return flat(name, nothing) | flat(f"{name}_general", nothing)
    value = float(above[0].sum() / below[0].sum())
    unchanged = not above[0].any() and not (codes == 1).any()
    these = ratio(above[1].sum(axis=1), below[1].sum(axis=1))
    row = flat(name, settle_mean(value, these, n, level, bounds, unchanged=unchanged))
    readers = int((codes >= 0).any(axis=0).sum())
    if readers < READERS_LIKE_THESE:
        why = f"fewer than {READERS_LIKE_THESE} readers: nothing can be said of readers like these"
        return row | flat(f"{name}_general", Estimate(value, n=n, note=why))
    like = ratio(np.sum(above[1] * reader_weights, axis=1), np.sum(below[1] * reader_weights, axis=1))
    general = settle_mean(value, like, min(n, readers), level, bounds, unchanged=unchanged)
    return row | flat(f"{name}_general", general)


def _arm_rows(
    data: pd.DataFrame,
    findings: Sequence[Finding],
    outcome: Outcome,
    rng: np.random.Generator,
    resamples: int,
    level: float,
) -> list[dict[str, Any]]:
    """All numbers of every finding under one arm."""
    names = tuple(dict.fromkeys((outcome, "in_original", "in_counterfactual")))
    stacked = stack(data, [finding.key for finding in findings], names)
    draws = draw_patients(stacked.patients, rng, resamples)
    reader_weights = draw_readers(len(stacked.readers), rng, resamples)
    agreement = binary_agreement(stacked.codes[outcome], draws, level)
    sums = {name: _reader_sums(stacked.codes[name], draws) for name in names}
    assessed, cannot, missing = (stacked.count(status) for status in (ASSESSED, CANNOT, MISSING))
    rows = []
    for f in range(len(findings)):
        row: dict[str, Any] = {
            "pairs": int(stacked.pairs[f]),
            "patients": stacked.patients_of(f),
            "readers": int(stacked.reading[f]),
            "readings": int(assessed[f]),
            "cannot": int(cannot[f]),
            "missing": int(missing[f]),
        }
        chosen = {k: (one.chosen[:, f], many.chosen[:, f]) for k, (one, many) in sums.items()}
        seen = {k: (one.seen[:, f], many.seen[:, f]) for k, (one, many) in sums.items()}
        codes = stacked.codes[outcome][f]
        row |= _share("share", chosen[outcome], seen[outcome], codes, draws, reader_weights, level)
        row["majority"] = _majority((codes == 1).sum(axis=1), (codes >= 0).sum(axis=1))
        for name in ("in_original", "in_counterfactual"):
            label = name.replace("in_", "prevalence_")
            row |= _share(label, chosen[name], seen[name], stacked.codes[name][f], draws, reader_weights, level)
        change = tuple(b - a for a, b in zip(chosen["in_original"], chosen["in_counterfactual"], strict=True))
        either = np.where(
            stacked.codes["in_original"][f] < 0,
            -1,
            stacked.codes["in_original"][f] != stacked.codes["in_counterfactual"][f],
        )
        row |= _share(
            "difference", (change[0], change[1]), seen["in_original"], either, draws, reader_weights, level, (-1, 1)
        )
        for name, estimate in agreement[f].items():
            row |= {name: estimate.value} if name == "bias_index" else flat(name, estimate)
        rows.append(row)
    return rows


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
    `negative_agreement`, `prevalence_index`, each with _low, _high (95 % bootstrap over patients: these readers) and
    _note, and `bias_index`. The share, both prevalences and the difference come a second time with `_general` in their
    name: bootstrap over patients and readers ("readers like these"), without an interval below five readers. Agreement
    is on the outcome. All findings of an arm share their resamples. None where undefined, and the note says why.
    """
    data_of = split(readings_only(decoded), ("arm",))
    by_arm = [_arm_rows(data_of((arm.key,)), findings, outcome, rng, resamples, level) for arm in arms]
    rows = []
    for f, finding in enumerate(findings):
        for arm, cells in zip(arms, by_arm, strict=True):
            head = {"finding": finding.key, "label": finding.label, "kind": finding.kind}
            rows.append(head | {"arm": arm.key, "arm_name": arm.name} | cells[f])
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
    assessed = first["status"] == "assessed"
    counted = pd.DataFrame(
        {
            "n": assessed,
            "both": assessed & first["in_original"].fillna(False) & first["in_counterfactual"].fillna(False),
            "appears": first["appears"].fillna(False),
            "disappears": first["disappears"].fillna(False),
            "cannot": first["status"] == "cannot",
            "missing": first["status"] == "missing",
        }
    ).astype(int)
    sums = counted.groupby([first["reader"], first["finding"], first["arm"]], sort=False).sum()
    cell = dict(zip(sums.index, sums.to_numpy().tolist(), strict=True))
    rows: list[dict[str, Any]] = []
    for reader in dict.fromkeys(first["reader"]):
        for finding in findings:
            for arm in arms:
                n, both, appears, disappears, cannot, missing = cell.get((reader, finding.key, arm.key), [0] * 6)
                row: dict[str, Any] = {
                    "reader": reader,
                    "finding": finding.key,
                    "label": finding.label,
                    "arm": arm.key,
                    "arm_name": arm.name,
                    "readings": n,
                    "cannot": cannot,
                    "missing": missing,
                }
                neither = n - both - appears - disappears
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
    pooled = raw = undefined("no case has two readings")
    if len(first):
        stacked = stack(first, list(dict.fromkeys(first["finding"])), (outcome,))
        codes = stacked.codes[outcome]
        patients = [patient for _ in range(len(codes)) for patient in stacked.patients]
        draws = draw_patients(patients, rng, resamples)
        together = binary_agreement(codes.reshape(1, -1, len(stacked.readers)), draws, level)[0]
        pooled, raw = together["ac1"], together["raw_agreement"]
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
    keys = ["arm", "patient", "pair"]
    answered = first[first["status"] != "missing"]
    readers = answered.groupby(keys, sort=False)["reader"].nunique()
    assessed = first[first["status"] == "assessed"]
    counts = assessed.groupby([*keys, "finding"], sort=False)[outcome].agg(["sum", "size"]).astype(int)
    cell = {key: f"{k}/{n}" for key, (k, n) in zip(counts.index, counts.to_numpy().tolist(), strict=True)}
    rows = []
    for case in first[keys].drop_duplicates().itertuples(index=False, name=None):
        row: dict[str, Any] = dict(zip(keys, case, strict=True)) | {"readers": int(readers.get(case, 0))}
        rows.append(row | {finding.key: cell.get((*case, finding.key), "0/0") for finding in findings})
    return pd.DataFrame(rows, columns=["arm", "patient", "pair", "readers", *(f.key for f in findings)])
