import pytest

from cfcore.study.decode import decode_readings
from cfcore.study.readers import reader_checks, readers_table


def row(reader, pair, answer, purpose="reading", seconds=20.0, side="A"):
    answers = {} if answer is None else {"ctr": answer}
    return {
        "reader": reader,
        "arm": "v1",
        "patient": pair,
        "pair": pair,
        "original_side": side,
        "answers": answers,
        "purpose": purpose,
        "seconds": seconds,
    }


def test_readers_table():
    rows = [
        row("anna", 1, "A"),
        row("anna", 2, "A", seconds=40),
        row("anna", 3, "B", seconds=90),
        row("anna", 4, "cannot"),
    ]
    rows += [row("ben", 1, None, seconds=None), row("ben", 2, None, seconds=None)]
    anna, ben = readers_table(decode_readings(rows, ["ctr"])).to_dict("records")
    assert (anna["planned"], anna["done"], anna["answers"], anna["cannot"]) == (4, 4, 4, 1)
    assert anna["median_seconds"] == 30 and anna["first_side"] == pytest.approx(2 / 3)
    assert (ben["planned"], ben["done"], ben["missing"]) == (2, 0, 2)
    assert ben["median_seconds"] is None or ben["median_seconds"] != ben["median_seconds"]


def test_repeats_are_compared_after_decoding():
    rows = [row("anna", pair, "A") for pair in range(4)]
    rows += [row("anna", pair, "B", "repeat", side="B") for pair in range(3)]  # the same side of the pair, swapped
    rows += [row("anna", 3, "A", "repeat", side="B")]
    rows += [row("anna", 10 + k, "neither" if k else "A", "control") for k in range(5)]
    check = reader_checks(decode_readings(rows, ["ctr"])).iloc[0]
    assert (check.repeats, check.controls) == (4, 5)
    # 3 of 4 alike; shares of "appears" 1/8, so chance is 2 (1/8) (7/8)
    assert check.intra_reader == pytest.approx((0.75 - 7 / 32) / (1 - 7 / 32))
    assert check.false_alarms == pytest.approx(0.2)


def test_without_repeats_or_controls_there_is_a_reason():
    check = reader_checks(decode_readings([row("anna", 1, "A")], ["ctr"])).iloc[0]
    assert check.intra_reader_note == "no case has two readings" and check.false_alarms_note == "no reading"
