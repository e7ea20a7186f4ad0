import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, norm

from cfcore.study.intervals import wilson
from cfcore.study.reference import accuracy_table, auc, criterion, d_prime, d_prime_forced_choice
from cfcore.study.resampling import resample_patients


def test_d_prime_by_hand():
    d = d_prime(79, 99, 19, 99)
    h, f = 79.5 / 100, 19.5 / 100
    assert d.value == pytest.approx(norm.ppf(h) - norm.ppf(f))
    variance = sum(p * (1 - p) / (99 * norm.pdf(norm.ppf(p)) ** 2) for p in (h, f))
    assert d.se == pytest.approx(np.sqrt(variance))
    assert criterion(79, 99, 19, 99).value == pytest.approx(-(norm.ppf(h) + norm.ppf(f)) / 2)
    assert d_prime_forced_choice(79, 99).value == pytest.approx(np.sqrt(2) * norm.ppf(h))


trials = st.integers(0, 30).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(trials, trials)
def test_d_prime_is_always_finite_or_says_why(signal, noise):
    for statistic in (d_prime, criterion):
        estimate = statistic(*signal, *noise)
        if estimate.value is None:
            assert "no signal" in estimate.note or "no noise" in estimate.note
        else:
            assert np.isfinite([estimate.value, estimate.low, estimate.high]).all()
            assert estimate.low < estimate.value < estimate.high
    if signal[1] and noise[1]:
        assert d_prime(*signal, *noise).value == pytest.approx(-d_prime(*noise, *signal).value)


def test_d_prime_degenerate_and_bad():
    assert "log-linear" in d_prime(10, 10, 0, 10).note and d_prime(10, 10, 0, 10).value < 4
    assert d_prime_forced_choice(0, 0).value is None and "log-linear" in d_prime_forced_choice(5, 5).note
    for bad in (lambda: d_prime(3, 2, 0, 1), lambda: d_prime_forced_choice(3, 2)):
        with pytest.raises(ValueError, match="expected 0 <="):
            bad()


def test_d_prime_covers():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(1000):
        h, f = rng.binomial(50, norm.cdf(0.75)), rng.binomial(50, norm.cdf(-0.75))
        d = d_prime(int(h), 50, int(f), 50)
        hits += d.low <= 1.5 <= d.high
    assert 0.93 <= hits / 1000 <= 0.98


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=25))
def test_auc_is_the_mann_whitney_statistic(cases):
    s, y = (np.array(x) for x in zip(*cases, strict=True))
    estimate = auc(s, y)
    if y.all() or not y.any():
        assert estimate.value is None and "class" not in estimate.note and "no " in estimate.note
        return
    u = mannwhitneyu(s[y], s[~y]).statistic / (y.sum() * (~y).sum())
    assert estimate.value == pytest.approx(u)
    assert auc(-s, y).value == pytest.approx(1 - u)
    if estimate.low is not None:
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_auc_variance_as_delong_by_placements():
    s = np.array([1.0, 2, 3, 4, 2.5, 3.5, 5, 6])
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=bool)
    above = (s[y][:, None] > s[~y][None]).astype(float)
    variance = above.mean(1).var(ddof=1) / 4 + above.mean(0).var(ddof=1) / 4
    assert auc(s, y).se == pytest.approx(np.sqrt(variance))
    assert auc(s, y).value == pytest.approx(13 / 16)


def test_auc_covers():
    rng, hits, drawn = np.random.default_rng(3), 0, 0
    y = np.arange(60) < 30
    truth = norm.cdf(1 / np.sqrt(2))
    for _ in range(300):
        s = rng.normal(size=60) + y
        one = auc(s, y)
        two = auc(s, y, resample=resample_patients(range(60), rng, 300))
        hits += one.low <= truth <= one.high
        drawn += two.low <= truth <= two.high
    assert 0.92 <= hits / 300 <= 0.985 and 0.91 <= drawn / 300 <= 0.985


def test_auc_at_its_end():
    perfect = auc([1, 2, 3, 4, 5], [0, 0, 1, 1, 1])
    assert perfect.value == perfect.high == 1 and 0 < perfect.low < 0.3 and "separated" in perfect.note
    assert "one case" in auc([1, 3, 2], [0, 0, 1]).note
    assert auc([np.nan, 1.0], [1, 0]).note == "no positive case"


def rows(reader, called, truth, score=None):
    frame = pd.DataFrame({"reader": reader, "patient": range(len(called)), "called": called, "truth": truth})
    return frame if score is None else frame.assign(score=score)


def test_one_reading_a_patient_has_wilson_intervals():
    called = [True] * 8 + [False] * 2 + [True] * 1 + [False] * 9 + [None, True]
    truth = [True] * 10 + [False] * 10 + [True, None]
    row = accuracy_table(rows("anna", called, truth), np.random.default_rng(0)).iloc[0]
    assert (row.readings, row.positive, row.negative) == (20, 10, 10)
    assert (row.without_reference, row.not_assessed) == (1, 1)
    assert (row.sensitivity, row.specificity, row.accuracy) == (0.8, 0.9, 0.85)
    assert (row.sensitivity_low, row.sensitivity_high) == (wilson(8, 10).low, wilson(8, 10).high)
    assert row.ppv == pytest.approx(8 / 9) and row.npv == pytest.approx(9 / 11)
    assert row.auc == pytest.approx((0.8 + 0.9) / 2)


def test_several_readers_are_resampled_by_patient():
    draw = np.random.default_rng(1)
    truth = draw.random(30) < 0.5
    called = np.where(draw.random(30) < 0.8, truth, ~truth)
    one = rows("anna", called, truth).assign(arm="x")
    three = pd.concat([one.assign(reader=r) for r in "abc"])
    a = accuracy_table(three, np.random.default_rng(0), by=("arm",)).iloc[0]
    b = accuracy_table(pd.concat([three, three.assign(reader="d")]), np.random.default_rng(0), by=("arm",)).iloc[0]
    assert a.sensitivity == pytest.approx(b.sensitivity) and a.sensitivity_low == pytest.approx(b.sensitivity_low)
    assert a.sensitivity_low < a.sensitivity < a.sensitivity_high


def test_without_a_class_or_without_anything():
    row = accuracy_table(rows("anna", [True, False], [True, True]), np.random.default_rng(0)).iloc[0]
    assert row.specificity_note == "no case of this kind" and row.auc_note == "no negative case"
    assert accuracy_table(rows("anna", [], []), np.random.default_rng(0)).empty
    scored = rows("anna", [True, False, True], [True, False, False], score=[3, 1, 2])
    assert accuracy_table(scored, np.random.default_rng(0)).iloc[0].auc == 1
