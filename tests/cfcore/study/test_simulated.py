"""Simulated readers answer as set, and the statistics find in their answers what was put in."""

import numpy as np
import pytest

from cfcore.study.agreement import gwet_ac, percent_agreement
from cfcore.study.decode import decode_ratings, decode_readings
from cfcore.study.protocol import DEFAULT_RATINGS
from cfcore.study.readers import readers_table
from cfcore.study.resampling import resample_patients
from cfcore.study.schedule import make_schedule
from cfcore.study.shaping import wide
from cfcore.study.simulated import SimulatedReader, expected_agreement, simulate_study


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
    schedules = {"anna": make_schedule([1], "anna", 0)}
    with pytest.raises(ValueError, match="No truth for pair 1, finding “ctr”"):
        simulate_study([SimulatedReader("anna")], schedules, {}, ["ctr"], np.random.default_rng(0))


def test_the_same_seed_gives_the_same_study():
    readers = [SimulatedReader("anna"), SimulatedReader("ben")]
    assert study(readers, truths(10, 0.5), 3)[0] == study(readers, truths(10, 0.5), 3)[0]
    assert study(readers, truths(10, 0.5), 3)[0] != study(readers, truths(10, 0.5), 4)[0]
