"""What was put into simulated readers comes out again, at the rate at which intervals promise it."""

import numpy as np
import pytest

from cfcore.study.decode import decode_readings
from cfcore.study.recovery import COLUMNS, expected_seen, recovery_table
from cfcore.study.schedule import make_schedule
from cfcore.study.simulated import SimulatedReader, draw_truth, simulate_study

READERS = (
    SimulatedReader("R1", 0.9, 0.95, agreement=0.5),
    SimulatedReader("R2", 0.8, 0.9, side_bias=0.4, cannot=0.05),
    SimulatedReader("R3", 0.95, 0.85, fatigue=0.6, favourite="both", answer_bias=0.1),
    SimulatedReader("R4", 0.7, 0.97, side_bias=-0.3, favourite="A", answer_bias=0.15, stops_after=50),
)


def rehearsed(seed, readers=READERS, n=90):
    pairs = {i: (("v1", "v2", "v3")[i % 3], i) for i in range(n)}
    rng = np.random.default_rng(seed)
    appears = {("v1", "ctr"): 0.7, ("v2", "older"): 0.3}
    truth = draw_truth(pairs, ["ctr", "older"], {"ctr": 0.3, "older": 0.2}, appears, rng)
    schedules = {r.key: make_schedule(list(pairs), r.key, seed) for r in readers}
    rows = simulate_study(readers, schedules, truth, ["ctr", "older"], rng)
    rows = [row | {"arm": pairs[row["pair"]][0], "patient": row["pair"]} for row in rows]
    return recovery_table(decode_readings(rows), {r.key: r for r in readers}, truth, {r.key: n for r in readers}, rng)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.key)
@pytest.mark.parametrize("state", [(False, False), (False, True), (True, True)])
def test_expected_shares_are_those_that_simulated_answers_have(reader, state):
    n = 6000
    truth = {(p, "ctr"): state for p in range(n)}
    steady = SimulatedReader(**{**vars(reader), "stops_after": None})
    rows = simulate_study(
        [steady], {reader.key: make_schedule(range(n), reader.key, 1)}, truth, ["ctr"], np.random.default_rng(2)
    )
    seen = decode_readings([row | {"arm": "v1", "patient": row["pair"]} for row in rows]).dropna(subset=["appears"])
    found = [float(seen[name].mean()) for name in ("in_original", "in_counterfactual", "appears")]
    expected = np.mean([expected_seen(steady, *state, i / (n - 1)) for i in range(n)], axis=0)
    assert found == pytest.approx(list(expected), abs=0.02)


def test_intervals_hold_what_was_put_in_nineteen_times_of_twenty():
    inside = [value for seed in range(12) for value in rehearsed(seed)["inside"] if value is not None]
    assert len(inside) > 120 and 0.9 <= np.mean(inside) <= 0.99


def test_a_wrong_claim_is_found_out():
    rng = np.random.default_rng(0)
    table = rehearsed(3)
    assert tuple(table.columns) == COLUMNS
    skill = table[table.what == "sensitivity"].set_index("reader")
    # R1's own sensitivity is 0.9; that R2's interval also held it would be no recovery at all.
    assert skill.loc["R1", "put_in"] == pytest.approx(0.9)
    readers = {r.key: SimulatedReader(r.key, 0.3, 0.5) for r in READERS}
    pairs = {i: ("v1", i) for i in range(90)}
    truth = draw_truth(pairs, ["ctr"], {"ctr": 0.5}, {}, rng)
    rows = simulate_study(READERS, {r.key: make_schedule(list(pairs), r.key, 1) for r in READERS}, truth, ["ctr"], rng)
    decoded = decode_readings([row | {"arm": "v1", "patient": row["pair"]} for row in rows])
    wrong = recovery_table(decoded, readers, truth, dict.fromkeys(readers, 90), rng)
    assert not wrong[wrong.what == "sensitivity"].inside.any()


def test_nothing_read_gives_an_empty_table_and_a_missing_class_says_so():
    readers = [SimulatedReader("R1", stops_after=0)]
    assert rehearsed(0, readers).empty
    truth = {(p, "ctr"): (False, False) for p in range(10)}
    rows = simulate_study(
        [SimulatedReader("R1")], {"R1": make_schedule(range(10), "R1", 0)}, truth, ["ctr"], np.random.default_rng(0)
    )
    decoded = decode_readings([row | {"arm": "v1", "patient": row["pair"]} for row in rows])
    table = recovery_table(decoded, {"R1": SimulatedReader("R1")}, truth, {"R1": 10}, np.random.default_rng(0))
    none = table[table.what == "sensitivity"].iloc[0]
    assert none.n == 0 and none.note == "no such case" and none.inside is None
