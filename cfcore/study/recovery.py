"""What simulated readers should have answered, given what was there, beside what the statistics found."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cfcore.study.intervals import bootstrap_mean, wilson
from cfcore.study.resampling import resample_patients
from cfcore.study.simulated import SimulatedReader

COLUMNS = ("what", "reader", "arm", "finding", "n", "put_in", "found", "low", "high", "inside", "note")


def expected_seen(
    reader: SimulatedReader, in_original: bool, in_counterfactual: bool, progress: float
) -> tuple[float, float, float]:
    """Chances, among assessed answers, that the reader sees a finding in the original, in the counterfactual, and as
    new (counterfactual only).

    With p_o and p_c the chances to tick either image: before any bias both = p_o p_c, original only = p_o (1 - p_c),
    counterfactual only = (1 - p_o) p_c. A side bias b replaces a share |b| of the one-sided answers by the favourite
    side, on which the original stands half of the time; an answer bias a mixes in the favourite answer.
    """
    there = reader.tired(reader.sensitivity, progress)
    absent = 1 - reader.tired(reader.specificity, progress)
    p_o, p_c = (there if state else absent for state in (in_original, in_counterfactual))
    both, first, second = p_o * p_c, p_o * (1 - p_c), (1 - p_o) * p_c
    pull = abs(reader.side_bias)
    first, second = ((1 - pull) * part + pull * (first + second) / 2 for part in (first, second))
    if reader.favourite != "cannot" and reader.answer_bias:
        one_sided = 0.5 if reader.favourite in ("A", "B") else 0.0
        mixed = {"both": (1.0, 0.0, 0.0)}.get(reader.favourite, (0.0, one_sided, one_sided))
        both, first, second = (
            (1 - reader.answer_bias) * part + reader.answer_bias * share
            for part, share in zip((both, first, second), mixed, strict=True)
        )
    return both + first, both + second, second


def recovery_table(
    decoded: pd.DataFrame,
    readers: Mapping[str, SimulatedReader],
    truth: Mapping[tuple[Any, str], tuple[bool, bool]],
    n_cases: Mapping[str, int],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Put in and found, one row a claim (`COLUMNS`): each reader's sensitivity and specificity over all images, then
    per arm and finding the share of readings in which the finding appears, then how many cases each reader read.

    decoded: as `decode_readings`, purpose "reading". truth: (pair, finding) -> state. n_cases: reader -> length of the
    schedule. `put_in` is the expectation for exactly these cases, places and truths, so it carries no noise of its
    own; `low`, `high` the 95 % interval of what was found (Wilson, or bootstrap over patients where readings of one
    patient are pooled); `inside` whether it holds what was put in, None where there is no interval. A well-working
    chain is outside in about one row of twenty.
    """
    assessed = decoded[(decoded["status"] == "assessed") & (decoded["purpose"] == "reading")]
    if assessed.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    states = [truth[pair, finding] for pair, finding in zip(assessed["pair"], assessed["finding"], strict=True)]
    places = [
        position / max(n_cases[reader] - 1, 1)
        for reader, position in zip(assessed["reader"], assessed["position"].astype(int), strict=True)
    ]
    expected = np.array(
        [
            expected_seen(readers[reader], *state, place)
            for reader, state, place in zip(assessed["reader"], states, places, strict=True)
        ]
    )
    table = assessed.assign(state_o=[s[0] for s in states], state_c=[s[1] for s in states])
    table[["exp_o", "exp_c", "exp_new"]] = expected
    rows = [row for reader, data in table.groupby("reader", sort=False) for row in _skill(str(reader), data, rng)]
    for (arm, finding), data in table.groupby(["arm", "finding"], sort=False):
        seen = data["appears"].to_numpy(dtype=bool)
        rows.append(_row("appears", "", str(arm), str(finding), seen, data["exp_new"], data["patient"], rng))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _skill(reader: str, data: pd.DataFrame, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Original and counterfactual are one image each: both enter."""
    seen = np.concatenate([data["in_original"].to_numpy(dtype=bool), data["in_counterfactual"].to_numpy(dtype=bool)])
    state = np.concatenate([data["state_o"], data["state_c"]]).astype(bool)
    expected = np.concatenate([data["exp_o"], data["exp_c"]]).astype(float)
    patients = np.concatenate([data["patient"], data["patient"]])
    return [
        _row("sensitivity", reader, "", "", seen[state], expected[state], patients[state], rng),
        _row("specificity", reader, "", "", ~seen[~state], 1 - expected[~state], patients[~state], rng),
    ]


def _row(
    what: str,
    reader: str,
    arm: str,
    finding: str,
    hits: np.ndarray,
    expected: Sequence[float] | np.ndarray | pd.Series,
    patients: Sequence[Any] | np.ndarray | pd.Series,
    rng: np.random.Generator,
) -> dict[str, Any]:
    row: dict[str, Any] = {"what": what, "reader": reader, "arm": arm, "finding": finding, "n": len(hits)}
    if not len(hits):
        return row | dict.fromkeys(("put_in", "found", "low", "high", "inside"), None) | {"note": "no such case"}
    patients = list(patients)
    if len(set(patients)) == len(patients):
        found = wilson(int(hits.sum()), len(hits))
    else:
        found = bootstrap_mean(hits.astype(float), np.ones(len(hits)), resample_patients(patients, rng))
    put_in = float(np.mean(np.asarray(expected, dtype=float)))
    inside = None if found.low is None or found.high is None else bool(found.low <= put_in <= found.high)
    return row | {
        "put_in": put_in, "found": found.value, "low": found.low, "high": found.high, "inside": inside,
        "note": found.note,
    }  # fmt: skip
