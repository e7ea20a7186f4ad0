import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.study.decode import ANSWERS, decode, decode_ratings, decode_readings


@pytest.mark.parametrize(
    ("answer", "side", "expected"),
    [
        ("A", "A", (True, False, False, True)),
        ("B", "A", (False, True, True, False)),
        ("A", "B", (False, True, True, False)),
        ("B", "B", (True, False, False, True)),
        ("both", "A", (True, True, False, False)),
        ("both", "B", (True, True, False, False)),
        ("neither", "A", (False, False, False, False)),
        ("neither", "B", (False, False, False, False)),
        ("cannot", "A", (None, None, None, None)),
        (None, "B", (None, None, None, None)),
    ],
)
def test_decode(answer, side, expected):
    seen = decode(answer, side)
    assert (seen.in_original, seen.in_counterfactual, seen.appears, seen.disappears) == expected


def test_decode_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="expected A or B"):
        decode("A", "left")
    with pytest.raises(ValueError, match="no checklist answer"):
        decode("a", "A")


def row(**changes):
    return {
        "reader": "r1",
        "arm": "v17+",
        "patient": "p1",
        "pair": 7,
        "original_side": "B",
        "answers": {"ctr": "A", "effusion": "cannot"},
        "ratings": {"realism": 4},
        "position": 0,
        "seconds": 31.5,
    } | changes


def test_tidy_table():
    frame = decode_readings([row(), row(pair=8, answers=None, seconds=None)], ["ctr", "effusion", "older"])
    assert len(frame) == 6
    assert list(frame.status) == ["assessed", "cannot", "missing", "missing", "missing", "missing"]
    assert bool(frame.appears[0]) and not bool(frame.in_original[0])
    assert frame.appears[1] is pd.NA and frame.seconds[3] is pd.NA
    assert set(frame.purpose) == {"reading"}


def test_findings_default_to_those_answered_and_unlisted_ones_are_refused():
    assert list(decode_readings([row()]).finding) == ["ctr", "effusion"]
    with pytest.raises(ValueError, match="unlisted"):
        decode_readings([row()], ["ctr"])
    with pytest.raises(ValueError, match="lacks “patient”"):
        decode_readings([{k: v for k, v in row().items() if k != "patient"}])
    with pytest.raises(ValueError, match="purpose"):
        decode_readings([row(purpose="warm-up")])


def test_no_trials_give_an_empty_table():
    assert decode_readings([], ["ctr"]).empty and decode_ratings([]).empty


def test_ratings():
    frame = decode_ratings([row(), row(ratings=None)], ["realism", "identity"])
    assert list(frame.value) == [4, pd.NA, pd.NA, pd.NA]


@given(st.lists(st.tuples(st.sampled_from([*ANSWERS, None]), st.booleans()), min_size=1, max_size=20))
def test_swapping_sides_with_the_answer_changes_nothing(trials):
    swap = {"A": "B", "B": "A"}
    plain = [row(pair=i, original_side="AB"[s], answers={"ctr": a}) for i, (a, s) in enumerate(trials)]
    other = [row(pair=i, original_side="BA"[s], answers={"ctr": swap.get(a, a)}) for i, (a, s) in enumerate(trials)]
    columns = ["in_original", "in_counterfactual", "appears", "disappears", "status"]
    pd.testing.assert_frame_equal(decode_readings(plain)[columns], decode_readings(other)[columns])


def test_purposes_of_the_schedule_are_told_apart():
    row = {"reader": "R1", "arm": "v1+", "patient": "P1", "pair": "C1", "original_side": "A", "answers": {"ctr": "B"}}
    purposes = ("counted", "repeat", "training", "guess", "series", "control")
    rows = [row | {"purpose": purpose} for purpose in purposes]
    found = decode_readings(rows, ["ctr"])
    assert list(found["purpose"]) == ["reading", "repeat", "control"]
    assert len(decode_ratings(rows, ["realism"])) == 3
