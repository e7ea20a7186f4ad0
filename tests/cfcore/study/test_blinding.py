import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.study.blinding import bang_index, blinding_table
from cfcore.study.intervals import clopper_pearson

counts = st.integers(0, 40)


def test_by_hand():
    index = bang_index(30, 10, 60)
    assert index.value == pytest.approx(0.2)
    assert index.se == pytest.approx(np.sqrt((0.3 + 0.1 - 0.04) / 100))
    assert (index.low, index.high) == (pytest.approx(0.2 - 1.959964 * 0.06), pytest.approx(0.2 + 1.959964 * 0.06))


def test_as_bang_writes_it():
    """(2 n_right / (n_right + n_wrong) - 1) (n_right + n_wrong) / n, equation 3 of Bang, Ni and Davis 2004."""
    r, w, u = 41, 14, 27
    assert bang_index(r, w, u).value == pytest.approx((2 * r / (r + w) - 1) * (r + w) / (r + w + u))


@given(counts, counts, counts)
def test_within_its_range_and_mirrored(right, wrong, unsure):
    one, two = bang_index(right, wrong, unsure), bang_index(wrong, right, unsure)
    if right + wrong + unsure == 0:
        assert one.value is None and one.note == "no guess"
        return
    assert -1 <= one.low <= one.value <= one.high <= 1
    assert (one.value, one.low, one.high) == pytest.approx((-two.value, -two.high, -two.low))


def test_all_alike_has_an_exact_bound():
    bound = clopper_pearson(8, 8).low
    assert bang_index(8, 0).low == pytest.approx(2 * bound - 1) and bang_index(8, 0).high == 1
    unsure = bang_index(0, 0, 8)
    assert (unsure.value, unsure.high) == (0, pytest.approx(1 - bound)) and "alike" in unsure.note
    with pytest.raises(ValueError, match="negative"):
        bang_index(-1, 0)


def table(guesses):
    rows = [("a", f"p{i}", "r1", guess) for i, guess in enumerate(guesses)]
    return pd.DataFrame(rows, columns=["arm", "patient", "reader", "guess"])


def test_one_row_per_arm():
    frame = pd.concat([table(["right"] * 6 + ["wrong"] * 2 + ["unsure", None]), table(["unsure"] * 3).assign(arm="b")])
    a, b = blinding_table(frame, np.random.default_rng(0)).to_dict("records")
    assert (a["right"], a["wrong"], a["unsure"], a["patients"]) == (6, 2, 1, 9)
    assert a["index"] == pytest.approx(4 / 9) and a["index_low"] < 4 / 9 < a["index_high"]
    assert b["index"] == 0 and b["index_low"] < 0 < b["index_high"] and "alike" in b["index_note"]


def test_patients_not_guesses_are_the_unit():
    rng = np.random.default_rng(0)
    guesses = table(list(rng.choice(["right", "wrong"], 20)))
    again = pd.concat([guesses] * 8)
    one = blinding_table(guesses, np.random.default_rng(1)).iloc[0]
    many = blinding_table(again, np.random.default_rng(1)).iloc[0]
    assert many.index_low == pytest.approx(one.index_low) and many.index_high == pytest.approx(one.index_high)


def test_strange_and_no_guesses():
    with pytest.raises(ValueError, match="maybe"):
        blinding_table(table(["maybe"]), np.random.default_rng(0))
    assert blinding_table(table([]), np.random.default_rng(0)).empty
