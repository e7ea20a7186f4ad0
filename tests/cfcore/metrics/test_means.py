"""Means with t intervals against worked numbers and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cfcore.metrics.means import t_mean, welch_difference


def test_mean_against_a_worked_case() -> None:
    found = t_mean([1.0, 2.0, 3.0, float("nan")])
    # t(0.975, 2) = 4.303, standard error 1 / sqrt(3).
    assert (found.value, found.n) == (2.0, 3) and found.low == pytest.approx(2 - 4.3027 / 3**0.5, abs=1e-3)
    assert found.low is not None and found.high is not None
    assert found.high - 2 == pytest.approx(2 - found.low)


def test_too_few_values_have_no_interval() -> None:
    one, none = t_mean([0.5]), t_mean([float("nan")])
    assert (one.value, one.low) == (0.5, None) and (none.value, none.note) == (None, "nothing measurable")
    assert welch_difference([1.0], [0.0, 0.5]).low is None
    assert welch_difference([], [0.0]).value is None


def test_welch_against_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 0.1, 12), rng.normal(0.1, 0.3, 30)
    found, known = welch_difference(a, b), stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((known.low, known.high)) and found.n == 42
    same = welch_difference([1.0, 1.0], [0.0, 0.0])
    assert (same.value, same.low, same.high) == (1.0, 1.0, 1.0)
