import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from cfcore.study.intervals import bootstrap_mean, clopper_pearson, newcombe_paired, wilson
from cfcore.study.resampling import bootstrap_interval, resample_patients


def test_k_wilson_and_clopper_pearson():
    w, c = wilson(8, 10), clopper_pearson(8, 10)
    assert (w.low, w.high) == (pytest.approx(0.4902, abs=5e-5), pytest.approx(0.9433, abs=5e-5))
    assert (c.low, c.high) == (pytest.approx(0.4439, abs=5e-5), pytest.approx(0.9748, abs=5e-5))


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_as_scipy(case):
    k, n = case
    for ours, method in ((wilson(k, n), "wilson"), (clopper_pearson(k, n), "exact")):
        theirs = binomtest(k, n).proportion_ci(method=method)
        assert (ours.low, ours.high) == (pytest.approx(theirs.low, abs=1e-9), pytest.approx(theirs.high, abs=1e-9))
        assert 0 <= ours.low <= ours.value <= ours.high <= 1


def test_nothing_read():
    for estimate in (wilson(0, 0), clopper_pearson(0, 0), newcombe_paired(0, 0, 0, 0)):
        assert estimate.value is None and estimate.note == "no reading"
    with pytest.raises(ValueError, match="no proportion"):
        wilson(3, 2)
    with pytest.raises(ValueError, match="negative"):
        newcombe_paired(-1, 0, 0, 0)


def test_newcombe_as_in_fagerland_2014():
    """Airway hyper-responsiveness, 21 children (Bentur 2009): -0.286 (-0.507 to -0.026)."""
    e = newcombe_paired(1, 1, 7, 12)
    assert (e.value, e.low, e.high) == tuple(pytest.approx(x, abs=5e-4) for x in (-0.286, -0.507, -0.026))


cells = st.integers(0, 30)


@given(cells, cells, cells, cells)
def test_newcombe_holds_its_value_and_mirrors(a, b, c, d):
    one, two = newcombe_paired(a, b, c, d), newcombe_paired(a, c, b, d)
    if one.value is not None:
        assert -1 <= one.low <= one.value <= one.high <= 1
        assert (one.low, one.high) == (pytest.approx(-two.high), pytest.approx(-two.low))


def test_newcombe_covers():
    rng = np.random.default_rng(0)
    p = np.array([0.3, 0.25, 0.05, 0.4])
    hits = [t.low <= 0.2 <= t.high for t in (newcombe_paired(*c) for c in rng.multinomial(30, p, 1500))]
    assert 0.93 <= np.mean(hits) <= 0.98


def test_bootstrap_of_a_share():
    resample = resample_patients(["a", "a", "b", "c", "d"], np.random.default_rng(0))
    estimate = bootstrap_mean([3, 0, 1, 2, 0], [3, 3, 3, 3, 3], resample)
    assert estimate.value == pytest.approx(6 / 15) and estimate.n == 4
    assert 0 <= estimate.low < 0.4 < estimate.high <= 1


def test_a_share_of_none_or_all_keeps_an_honest_width():
    resample = resample_patients(range(10), np.random.default_rng(0))
    none = bootstrap_mean(np.zeros(10), np.full(10, 3), resample)
    everything = bootstrap_mean(np.full(10, 3), np.full(10, 3), resample)
    assert (none.low, none.high) == (0, pytest.approx(wilson(0, 10).high))
    assert (everything.low, everything.high) == (pytest.approx(wilson(10, 10).low), 1)
    assert "Wilson" in none.note
    assert bootstrap_mean(np.zeros(10), np.zeros(10), resample).note == "no reading"
    one = bootstrap_mean([1], [2], resample_patients(["a"], np.random.default_rng(0)))
    assert one.value == 0.5 and one.low is None and "one patient" in one.note


def test_bootstrap_interval_tells_what_it_rests_on():
    values = np.random.default_rng(0).normal(size=1000)
    low, high, se, note = bootstrap_interval(values, 0.0, 30)
    assert low < -1.96 and high > 1.96 and se == pytest.approx(1, abs=0.1) and note == ""
    values[:100] = np.nan
    assert bootstrap_interval(values, 0.0, 30)[3] == "defined in 900 of 1000 resamples"
    values[:600] = np.nan
    assert bootstrap_interval(values, 0.0, 30)[:2] == (None, None)


def test_shares_cover_with_readers_who_follow_the_patient():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        patient = rng.random(20) < 0.4
        followed = rng.random((20, 3)) < 0.6
        x = np.where(followed, patient[:, None], rng.random((20, 3)) < 0.4).sum(axis=1)
        estimate = bootstrap_mean(x, np.full(20, 3), resample_patients(range(20), rng, 400))
        hits += estimate.low <= 0.4 <= estimate.high
    assert 0.91 <= hits / 300 <= 0.99
