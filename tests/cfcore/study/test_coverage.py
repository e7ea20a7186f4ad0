"""Intervals hold the truth at about their nominal rate; the large run is `cfreader bench coverage`."""

import numpy as np
import pytest

from cfcore.study.agreement import fleiss_kappa, gwet_ac, percent_agreement
from cfcore.study.coverage import Scenario, coverage, truths


def test_truths_are_the_limits_of_large_studies():
    scenario = Scenario(20_000, readers=4, prevalence=0.3, sensitivity=0.8, specificity=0.9)
    rng = np.random.default_rng(0)
    there = rng.random((scenario.patients, 1)) < 0.3
    ticks = rng.random((scenario.patients, 4)) < np.where(there, 0.8, 0.1)
    known = truths(scenario, rng)
    for name, function in (("raw_agreement", percent_agreement), ("ac1", gwet_ac), ("fleiss", fleiss_kappa)):
        assert function(ticks, categories=(False, True)).value == pytest.approx(known[name], abs=0.01)
    assert known["share"] == pytest.approx(0.3 * 0.8 + 0.7 * 0.1)
    assert known["difference"] == pytest.approx((0.3 - 0.2) * 0.7)


def test_intervals_cover_at_their_nominal_rate():
    """150 studies: a standard error of 0.018 about 0.95, and few patients widen rather than narrow."""
    table = coverage(Scenario(30), np.random.default_rng(1), studies=150, resamples=400)
    assert set(table.interval) == {
        "bootstrap over patients",
        "closed form",
        "Wilson, one reader",
        "Newcombe, one reader",
    }
    assert len(table) == 8 + 6 + 2 and (table.without == 0).all()
    assert table.covered.between(0.88, 1).all(), table


def test_readers_like_these_cover_where_readers_differ():
    table = coverage(Scenario(30, readers=8, spread=0.8), np.random.default_rng(2), studies=150, resamples=400)
    assert set(table.interval) == {"patients x readers"} and set(table.statistic) == {"share", "difference"}
    assert table.covered.between(0.92, 1).all(), table


def test_a_study_that_tells_nothing_has_no_interval_rather_than_a_wrong_one():
    nothing = Scenario(10, prevalence=0.001, original=0.001, sensitivity=0.5, specificity=0.999)
    table = coverage(nothing, np.random.default_rng(3), studies=30, resamples=100).set_index(["statistic", "interval"])
    assert table.without["fleiss", "bootstrap over patients"] > 0.5
    assert table.without["share", "bootstrap over patients"] == 0
    assert table.covered["ac1", "closed form"] == 1
