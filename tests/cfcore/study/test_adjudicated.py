"""What readers agreed on or a chair decided, beside what they had answered."""

import numpy as np
import pandas as pd
import pytest

from cfcore.study.adjudicated import differing_readers, raw_and_adjudicated, settled, voices
from cfcore.study.decode import decode_readings
from cfcore.study.findings import findings_table
from cfcore.study.protocol import Arm, Finding

FINDINGS = (Finding("line", "A line"), Finding("rib", "A rib"))
ARMS = (Arm("a", "arm a"),)
# Reader -> case -> what was seen of (line, rib); the original stands on A, so B is the counterfactual.
SAID = {
    "R1": [("B", "neither"), ("both", "neither"), ("neither", "cannot"), ("A", "B")],
    "R2": [("B", "neither"), ("A", "neither"), ("cannot", "cannot"), ("neither", "both")],
    "R3": [("B", "both"), ("both", "neither"), ("neither", None), ("neither", "A")],
}
DECISIONS = pd.DataFrame(
    [("C1", "rib", "neither"), ("C2", "line", "both"), ("C4", "line", "cannot")],
    columns=["pair", "finding", "decided"],
)


@pytest.fixture(scope="module")
def decoded() -> pd.DataFrame:
    rows = [
        {"reader": reader, "arm": "a", "patient": f"P{i}", "pair": f"C{i}", "original_side": "A",
         "answers": {"line": line, "rib": rib} if rib else {"line": line}}
        for reader, cases in SAID.items()
        for i, (line, rib) in enumerate(cases, 1)
    ]  # fmt: skip
    again = {**rows[0], "purpose": "repeat", "answers": {"line": "A", "rib": "A"}}
    return decode_readings([*rows, again], ["line", "rib"])


def test_agreement_stands_and_disagreement_is_the_chairs(decoded: pd.DataFrame) -> None:
    cases = settled(decoded, DECISIONS).set_index(["pair", "finding"])
    assert cases.settled.to_dict() == {
        ("C1", "line"): "unanimous", ("C1", "rib"): "decided", ("C2", "line"): "decided", ("C2", "rib"): "unanimous",
        ("C3", "line"): "unanimous", ("C3", "rib"): "not assessed", ("C4", "line"): "decided",
        ("C4", "rib"): "undecided",
    }  # fmt: skip
    assert cases.status["C3", "rib"] == "cannot" and cases.status["C4", "rib"] == "missing"
    assert cases.status["C4", "line"] == "cannot", "a chair may find that it cannot be assessed"
    assert cases.appears["C1", "line"] and not cases.appears["C2", "line"] and cases.in_original["C2", "line"]
    assert set(cases.reader) == {"adjudicated"}


def test_raw_and_adjudicated_stand_side_by_side(decoded: pd.DataFrame) -> None:
    raw = findings_table(decoded, FINDINGS, ARMS, np.random.default_rng(0), resamples=200)
    cases = settled(decoded, DECISIONS)
    table = raw_and_adjudicated(raw, cases, FINDINGS, ARMS, np.random.default_rng(1), resamples=200).set_index(
        "finding"
    )
    assert table.loc["line", ["pairs", "unanimous", "disputed", "decided", "undecided"]].tolist() == [4, 2, 2, 2, 0]
    assert table.loc["rib", ["pairs", "unanimous", "disputed", "decided", "undecided"]].tolist() == [4, 1, 2, 1, 1]
    # Raw: 3 of 11 readings; settled: 1 of the 3 pairs that could be assessed.
    assert table.raw_share["line"] == pytest.approx(3 / 11)
    assert table.adjudicated_share["line"] == pytest.approx(1 / 3)
    assert table.raw_prevalence_original["line"] == pytest.approx(4 / 11)
    assert table.adjudicated_prevalence_original["line"] == pytest.approx(1 / 3)
    assert table.adjudicated_share["rib"] == 0.0 and table.raw_share["rib"] == pytest.approx(1 / 9)
    assert table.adjudicated_share_low["line"] <= 1 / 3 <= table.adjudicated_share_high["line"]


def test_without_a_single_case_nothing_breaks(decoded: pd.DataFrame) -> None:
    nothing = DECISIONS.iloc[:0]
    cases = settled(decoded.iloc[:0], nothing)
    table = raw_and_adjudicated(pd.DataFrame(), cases, FINDINGS, ARMS, np.random.default_rng(0))
    assert table.adjudicated_share_note.tolist() == ["no reading"] * 2 and table.pairs.tolist() == [0, 0]
    assert differing_readers(decoded, nothing).differed.tolist() == [0, 0, 0]


def test_it_says_whom_the_chair_did_not_follow_and_in_how_many_cases(decoded: pd.DataFrame) -> None:
    table = differing_readers(decoded, DECISIONS).set_index("reader")
    # C1 rib: R3 differs, alone. C2 line: R2 differs, alone. C4 line: nobody is followed; R1 stands alone.
    assert table.answers.tolist() == [3, 3, 3]
    assert table.differed.to_dict() == {"R1": 1, "R2": 2, "R3": 2}
    assert table.cases.tolist() == [3, 3, 3] and table.cases_differed.to_dict() == {"R1": 1, "R2": 2, "R3": 2}
    assert table.alone.to_dict() == {"R1": 1, "R2": 1, "R3": 1}


def test_a_decision_names_who_said_what(decoded: pd.DataFrame) -> None:
    table = voices(decoded, DECISIONS).set_index(["pair", "finding"])
    assert table.loc[("C1", "rib"), ["said_neither", "said_both", "said_cannot"]].tolist() == ["R1, R2", "R3", ""]
    assert table.said_original["C4", "line"] == "R1" and table.said_both["C2", "line"] == "R1, R3"
