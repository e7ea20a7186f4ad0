"""Simulated readers answer as set, and the statistics find in their answers what was put in."""

import numpy as np
import pandas as pd
import pytest

from cfcore.study.agreement import gwet_ac, percent_agreement
from cfcore.study.decode import decode_ratings, decode_readings
from cfcore.study.protocol import DEFAULT_RATINGS
from cfcore.study.readers import readers_table
from cfcore.study.resampling import resample_patients
from cfcore.study.schedule import make_schedule
from cfcore.study.shaping import wide
from cfcore.study.simulated import SimulatedReader, draw_truth, expected_agreement, simulate_study


def study(readers, truth, seed=0, ratings=()):
    pairs = list(dict.fromkeys(pair for pair, _ in truth))
    findings = list(dict.fromkeys(finding for _, finding in truth))
    schedules = {r.key: make_schedule(pairs, r.key, seed) for r in readers}
    rows = simulate_study(readers, schedules, truth, findings, np.random.default_rng(seed), ratings)
    rows = [row | {"arm": "v1", "patient": row["pair"]} for row in rows]
    return rows, decode_readings(rows, findings)


def truths(n, share, seed=0):
    appears = np.random.default_rng(seed).random(n) < share
    return {(pair, "ctr"): (False, bool(x)) for pair, x in enumerate(appears)}


def test_perfect_readers_tell_the_truth_from_either_side():
    truth = {(p, f): (bool(p % 2), bool(p // 2 % 2)) for p in range(40) for f in ("ctr", "older")}
    perfect = [SimulatedReader(k, 1.0, 1.0) for k in ("anna", "ben")]
    rows, decoded = study(perfect, truth, ratings=DEFAULT_RATINGS)
    assert {row["original_side"] for row in rows} == {"A", "B"}
    for row in decoded.itertuples():
        assert (row.in_original, row.in_counterfactual) == truth[row.pair, row.finding]
    assert decode_ratings(rows).value.between(1, 5).all()


def test_sensitivity_specificity_cannot_and_lapse_are_as_set():
    reader = SimulatedReader("anna", 0.8, 0.95, cannot=0.1, lapse=0.05)
    truth = {(p, "ctr"): (False, True) for p in range(5000)}
    _, decoded = study([reader], truth)
    assert float(decoded.in_counterfactual.mean()) == pytest.approx(0.8, abs=0.02)
    assert float(decoded.in_original.mean()) == pytest.approx(0.05, abs=0.01)
    assert (decoded.status == "missing").mean() == pytest.approx(0.05, abs=0.01)
    assert (decoded.status == "cannot").mean() == pytest.approx(0.095, abs=0.015)


def test_side_bias_shows_in_the_answers():
    truth = truths(2000, 0.5)
    _, decoded = study([SimulatedReader("a", side_bias=0.5), SimulatedReader("b", side_bias=-0.5)], truth)
    a, b = readers_table(decoded).first_side
    assert a == pytest.approx(0.75, abs=0.04) and b == pytest.approx(0.25, abs=0.04)


def test_bias_towards_an_answer_is_as_set():
    _, decoded = study([SimulatedReader("a", 1.0, 1.0, favourite="both", answer_bias=0.3)], truths(4000, 0.5))
    assert (decoded.answer == "both").mean() == pytest.approx(0.3, abs=0.02)


def test_fatigue_makes_errors_grow_with_the_position():
    reader = SimulatedReader("a", 0.9, 1.0, fatigue=0.5)
    assert [reader.tired(0.9, x) for x in (0, 0.5, 1)] == pytest.approx([0.9, 0.8, 0.7])
    _, decoded = study([reader], truths(6000, 1.0))
    found = decoded.groupby(pd.cut(decoded.position.astype(int), 3)).in_counterfactual.mean().astype(float)
    # Means over thirds of a line from 0.9 to 0.7.
    assert list(found) == pytest.approx([0.9 - 0.2 / 6, 0.8, 0.7 + 0.2 / 6], abs=0.025)


def test_a_reader_who_stops_leaves_the_rest_unread():
    rows, _ = study([SimulatedReader("a", stops_after=7), SimulatedReader("b")], truths(20, 0.5))
    assert sorted(row["position"] for row in rows if row["reader"] == "a") == list(range(7))
    assert sum(row["reader"] == "b" for row in rows) == 20


def test_truth_is_drawn_once_a_patient_and_appears_as_often_as_set():
    pairs = {i: (("v1", "v2")[i % 2], i // 2) for i in range(8000)} | {"same": ("control", "p")}
    rng = np.random.default_rng(0)
    appears = {("v1", "ctr"): 0.6, ("control", "ctr"): 1.0}
    truth = draw_truth(pairs, ["ctr", "older"], {"ctr": 0.25}, appears, rng, frozenset(["same"]))
    assert all(truth[2 * i, "ctr"][0] == truth[2 * i + 1, "ctr"][0] for i in range(4000))
    by_arm = {arm: [truth[p, "ctr"] for p, (a, _) in pairs.items() if a == arm] for arm in ("v1", "v2")}
    assert np.mean([original for original, _ in by_arm["v1"]]) == pytest.approx(0.25, abs=0.02)
    gained = {arm: np.mean([after - before for before, after in states]) for arm, states in by_arm.items()}
    assert gained["v1"] == pytest.approx(0.75 * 0.6, abs=0.03) and gained["v2"] == 0
    two = draw_truth({1: ("c", "p"), 2: ("c", "q")}, ["ctr"], {"ctr": 0.5}, {}, rng, others={1: "q", 2: "p"})
    assert two[1, "ctr"] == two[2, "ctr"][::-1]
    assert truth["same", "ctr"][0] == truth["same", "ctr"][1] and truth[0, "older"] == (False, False)
    with pytest.raises(ValueError, match="prevalence of ctr is 2"):
        draw_truth(pairs, ["ctr"], {"ctr": 2.0}, {}, rng)


@pytest.mark.parametrize("agreement", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_known_agreement_is_recovered(agreement, share):
    readers = [SimulatedReader(k, 0.85, 0.9, agreement) for k in ("anna", "ben", "cleo")]
    _, decoded = study(readers, truths(4000, share))
    expected = share * expected_agreement(*readers[:2], True) + (1 - share) * expected_agreement(*readers[:2], False)
    cases = wide(decoded, "in_counterfactual")
    assert percent_agreement(cases).value == pytest.approx(expected, abs=0.015)
    ticked = share * 0.85 + (1 - share) * 0.1
    chance = 2 * ticked * (1 - ticked)
    assert gwet_ac(cases, categories=(False, True)).value == pytest.approx((expected - chance) / (1 - chance), abs=0.03)


@pytest.mark.parametrize(("closed", "least"), [(True, 0.90), (False, 0.91)])
def test_intervals_of_ac1_cover_at_their_nominal_rate(closed, least):
    """30 patients, 3 readers, 95 % intervals; 250 studies, so that the share itself is known to about 3 points."""
    p_tick, a = 0.4, 0.5
    expected = expected_agreement(*[SimulatedReader("x", p_tick, 1 - p_tick, a)] * 2, True)
    chance = 2 * p_tick * (1 - p_tick)
    true = (expected - chance) / (1 - chance)
    rng, hits = np.random.default_rng(4), 0
    for _ in range(250):
        impression = rng.random(30)[:, None]
        luck = np.where(rng.random((30, 3)) < a, impression, rng.random((30, 3)))
        resample = None if closed else resample_patients(range(30), rng, 500)
        estimate = gwet_ac(luck < p_tick, categories=(False, True), resample=resample)
        hits += estimate.low <= true <= estimate.high
    assert least <= hits / 250 <= 0.99


def test_faults_are_named():
    with pytest.raises(ValueError, match="sensitivity of anna is 2"):
        SimulatedReader("anna", 2)
    with pytest.raises(ValueError, match="side_bias"):
        SimulatedReader("anna", side_bias=-2)
    with pytest.raises(ValueError, match="seconds"):
        SimulatedReader("anna", seconds=0)
    with pytest.raises(ValueError, match="favourite of anna is “maybe”"):
        SimulatedReader("anna", favourite="maybe")
    with pytest.raises(ValueError, match="stops_after"):
        SimulatedReader("anna", stops_after=-1)
    schedules = {"anna": make_schedule([1], "anna", 0)}
    with pytest.raises(ValueError, match="No truth for pair 1, finding “ctr”"):
        simulate_study([SimulatedReader("anna")], schedules, {}, ["ctr"], np.random.default_rng(0))


def test_the_same_seed_gives_the_same_study():
    readers = [SimulatedReader("anna"), SimulatedReader("ben")]
    assert study(readers, truths(10, 0.5), 3)[0] == study(readers, truths(10, 0.5), 3)[0]
    assert study(readers, truths(10, 0.5), 3)[0] != study(readers, truths(10, 0.5), 4)[0]
