import numpy as np
import pandas as pd
import pytest

from cfcore.study.agreement import gwet_ac
from cfcore.study.decode import decode_readings
from cfcore.study.findings import findings_table
from cfcore.study.protocol import Arm, Finding
from cfcore.study.sensitivity import TREATMENTS, cannot_assess_table, treat_cannot

ARMS, FINDINGS = (Arm("v1", "v1 +"), Arm("v2", "v2 +")), (Finding("ctr", "Cardiothoracic ratio"),)
# Original on side A: "B" appears, "neither" does not.
ANSWERS = {
    "anna": ["B", "B", "cannot", "neither", "neither", "cannot"],
    "ben": ["B", "neither", "cannot", "neither", "cannot", None],
    "cleo": ["B", "B", "B", "neither", "neither", "neither"],
}


@pytest.fixture
def decoded():
    rows = [
        {
            "reader": reader,
            "arm": "v1",
            "patient": k,
            "pair": k,
            "original_side": "A",
            "answers": {} if answer is None else {"ctr": answer},
        }
        for reader, given in ANSWERS.items()
        for k, answer in enumerate(given)
    ]
    return decode_readings(rows, ["ctr"])


def rng():
    return np.random.default_rng(0)


@pytest.fixture
def table(decoded):
    return cannot_assess_table(decoded, FINDINGS, ARMS, rng()).set_index(["arm", "treatment"])


def test_left_out_is_the_primary_analysis(decoded, table):
    primary = findings_table(decoded, FINDINGS, ARMS, rng()).iloc[0]
    row = table.loc[("v1", "left out")]
    assert (row.share, row.ac1, row.alpha) == (primary.share, primary.ac1, primary.alpha)
    assert row.cannot == 4 and row.readings == 13


def test_absent_and_present_are_the_bounds(table):
    shares = table.loc["v1"].share
    assert shares["absent"] == pytest.approx(6 / 17) and shares["present"] == pytest.approx(10 / 17)
    assert shares["absent"] < shares["left out"] < shares["present"]
    assert table.loc[("v1", "present")].readings == 17


def test_a_category_of_its_own(table):
    seen = {"B": True, "neither": False, "cannot": "cannot", None: None}
    cells = np.array([[seen[a] for a in column] for column in zip(*ANSWERS.values(), strict=True)], dtype=object)
    row = table.loc[("v1", "own category")]
    assert row.ac1 == pytest.approx(gwet_ac(cells, categories=(False, True, "cannot")).value)
    assert row.share == pytest.approx(6 / 17)


def test_without_a_cannot_all_treatments_agree_but_the_categories_of_ac1():
    rows = [
        {"reader": r, "arm": "v1", "patient": k, "pair": k, "original_side": "A"}
        | {"answers": {"ctr": "AB"[(k * k + i * (k > 1)) % 2]}}
        for i, r in enumerate("ab")
        for k in range(5)
    ]
    table = cannot_assess_table(decode_readings(rows, ["ctr"]), FINDINGS, ARMS[:1], rng()).set_index("treatment")
    assert table.share.nunique() == 1 and table.raw_agreement.nunique() == 1
    assert table.share_low.nunique() == 1, "every treatment is resampled alike"


def test_an_arm_without_answers_is_four_rows_of_reasons(table):
    assert list(table.loc["v2"].index) == list(TREATMENTS)
    assert set(table.loc["v2"].share_note) == {"no reading"} and table.loc["v2"].ac1.isna().all()


def test_every_outcome_is_bounded_on_its_own(decoded):
    for treatment, expected in (("absent", False), ("present", True)):
        treated = treat_cannot(decoded, treatment)
        was = decoded["status"] == "cannot"
        for name in ("in_original", "in_counterfactual", "appears", "disappears"):
            assert (treated.loc[was, name] == expected).all()
        pd.testing.assert_frame_equal(treated[~was], decoded[~was])
    assert (decoded["status"] == "cannot").sum() == 4, "the input is left as it is"
    with pytest.raises(ValueError, match="Unknown treatment"):
        treat_cannot(decoded, "ignored")  # type: ignore[arg-type]
