import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare

from cfcore.study.agreement import kendall_w
from cfcore.study.resampling import resample_patients


@given(st.integers(3, 8), st.integers(3, 6), st.integers(2, 9), st.integers(0, 10**6))
def test_w_is_friedmans_q_over_n_times_k_minus_1(k, n, points, seed):
    """n readers (the blocks of Friedman's test) rank k cases (its treatments), ties included."""
    x = np.random.default_rng(seed).integers(1, points + 1, (k, n))
    if any(len(np.unique(column)) > 1 for column in x.T):
        q = friedmanchisquare(*x).statistic
        assert kendall_w(x).value == pytest.approx(q / (n * (k - 1)), abs=1e-9)
    else:
        assert kendall_w(x).value is None


def test_extremes_and_degenerate_tables():
    assert kendall_w(np.repeat(np.arange(6)[:, None], 3, axis=1)).value == pytest.approx(1)
    assert kendall_w(np.array([[1, 2], [2, 1]])).value == pytest.approx(0)
    assert "alike" in kendall_w(np.full((4, 3), 2)).note
    assert "fewer than 2" in kendall_w(np.array([[1, 2, 3]])).note


def test_bootstrap_interval_and_gaps():
    rng = np.random.default_rng(0)
    x = np.arange(12)[:, None] + rng.normal(0, 3, (12, 3))
    x[0, 0] = np.nan
    estimate = kendall_w(x, resample=resample_patients(range(12), rng))
    assert estimate.low < estimate.value <= estimate.high <= 1
    assert estimate.note == "1 case with a gap left out" and estimate.n == 11
