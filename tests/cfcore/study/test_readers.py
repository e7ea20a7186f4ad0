import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from cfcore.study.agreement import cohen_kappa
from cfcore.study.decode import decode_ratings, decode_readings
from cfcore.study.intervals import wilson
from cfcore.study.protocol import Rating
from cfcore.study.readers import (
    missing_table,
    pairs_of_readers,
    reader_checks,
    readers_table,
    repeated_ratings,
    times_table,
)


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


def test_a_favourite_side_is_tested():
    rows = [row("anna", pair, "A") for pair in range(12)] + [row("ben", 1, "both")]
    anna, ben = readers_table(decode_readings(rows, ["ctr"])).to_dict("records")
    assert anna["first_side_p"] == pytest.approx(binomtest(12, 12).pvalue) and anna["first_side_high"] == 1
    assert pd.isna(ben["first_side_p"]) and ben["first_side_note"] == "no reading"


def test_a_false_alarm_is_any_one_sided_finding_of_an_identical_pair():
    rows = [
        row("anna", k, None, "control") | {"answers": {"ctr": "A" if k == 0 else "both", "old": "neither"}}
        for k in range(4)
    ]
    decoded = decode_readings(rows, ["ctr", "old"])
    check = reader_checks(decoded).iloc[0]
    assert check.false_alarms == 0.25 and check.false_alarm_answers == pytest.approx(1 / 8)
    assert check.false_alarms_high == wilson(1, 4).high
    kinds = decoded.assign(kind=np.where(decoded["pair"] == 0, "filter", "identical"))
    check = reader_checks(kinds).iloc[0]
    assert check.controls == 3 and check.false_alarms == 0


def test_missing_per_reader_and_arm():
    rows = [row("anna", 1, "A"), row("anna", 2, "cannot"), row("anna", 3, None) | {"arm": "v2"}, row("ben", 1, "B")]
    rows += [row("anna", 1, None, "repeat")]
    table = missing_table(decode_readings(rows, ["ctr"])).set_index(["reader", "arm"])
    first, second = table.loc[("anna", "v1")], table.loc[("anna", "v2")]
    assert (first.planned, first.done, first.unread, first.cannot, first.missing) == (2, 2, 0, 1, 0)
    assert first.cannot_share == 0.5 and first.missing_share == 0
    assert (second.unread, second.missing_share) == (1, 1) and pd.isna(second.cannot_share)
    assert missing_table(decode_readings([], ["ctr"])).empty


def test_times_per_reader_and_arm():
    seconds = [10, 20, 40]
    rows = [row("anna", k, "A", seconds=s) for k, s in enumerate(seconds)]
    rows += [row("anna", 9, "A", seconds=80) | {"arm": "v2"}, row("ben", 1, None, seconds=None)]
    table = times_table(decode_readings(rows, ["ctr"])).set_index(["reader", "arm"])
    own = table.loc[("anna", "v1")]
    assert (own.cases, own["median"], own.lower_quartile, own.upper_quartile) == (3, 20, 15, 30)
    assert own.geometric_mean == pytest.approx(20) and table.loc[("anna", "")].cases == 4
    assert table.loc[("ben", "")].cases == 0 and table.loc[("ben", "")]["median"] is None


def test_repeated_ratings():
    scale = Rating("realism", "Real?", "no", "yes", 5)
    rows = []
    for pair in range(6):
        rows.append(row("anna", pair, "A") | {"ratings": {"realism": pair % 5 + 1}})
        rows.append(row("anna", pair, "A", "repeat") | {"ratings": {"realism": min(pair % 5 + 2, 5)}})
    rows.append(row("ben", 1, "A") | {"ratings": {"realism": 3}})
    anna, ben = repeated_ratings(decode_ratings(rows, ["realism"]), [scale]).to_dict("records")
    assert anna["repeats"] == 6 and anna["bias"] == pytest.approx(-5 / 6)
    assert anna["lower"] < anna["bias"] < anna["upper"] and 0 < anna["weighted_kappa"] < 1 and 0 < anna["icc"] < 1
    assert ben["repeats"] == 0 and ben["icc_note"] and ben["weighted_kappa_note"] and ben["bias_note"]


def test_pairs_of_readers():
    rng = np.random.default_rng(0)
    given = {r: ["B" if rng.random() < 0.5 else "neither" for _ in range(12)] for r in ("anna", "ben", "cleo")}
    rows = [row(reader, k, answer) for reader, answers in given.items() for k, answer in enumerate(answers)]
    rows.append(row("dora", 99, "B"))
    table = pairs_of_readers(decode_readings(rows, ["ctr"]), np.random.default_rng(1)).set_index(["first", "second"])
    assert len(table) == 6
    one = table.loc[("anna", "cleo")]
    cells = np.array([given["anna"], given["cleo"]]).T == "B"
    assert one.cohen == pytest.approx(cohen_kappa(cells, categories=(False, True)).value) and one.n == 12
    assert one.cohen_low < one.cohen < one.cohen_high
    assert table.loc[("anna", "dora")].cohen_note == "no case has two readings"
    assert pairs_of_readers(decode_readings([], ["ctr"]), rng).empty
