"""Mean change, rank correlation and leakage on factors whose movement is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from cfcore.metrics.factor_effects import direction_effect, mean_interval, rank_correlation, reveals

DEGREES = (0.0, 2.5, 5.0, 7.5, 10.0)
SPREAD = {"heart": 0.05, "age": 15.0, "device": 0.2}


def planted(n: int = 40) -> dict[str, np.ndarray]:
    """The heart grows by 0.01 a degree, age falls by 0.3 years a degree, the device stays with some noise."""
    rng = np.random.default_rng(0)
    grid = np.array(DEGREES)[:, None]
    return {
        "heart": 0.45 + 0.03 * rng.standard_normal(n) + 0.01 * grid,
        "age": 50 + 12 * rng.standard_normal(n) - 0.3 * grid,
        "device": 0.1 + 0.001 * rng.standard_normal((5, n)),
    }


def test_the_planted_factor_is_the_main_one() -> None:
    found = direction_effect(DEGREES, planted(), SPREAD)
    assert found.main == "heart" and (found.measurable, found.n) == (40, 40)
    heart, age, device = found.effects
    assert heart.change.value == pytest.approx(0.1) and heart.standardised == pytest.approx(2.0)
    assert heart.correlation == pytest.approx(1.0) and age.correlation == pytest.approx(-1.0)
    assert age.standardised == pytest.approx(-0.2) and abs(device.correlation or 0) < 0.3
    # 0.2 of 2.2, and next to nothing from the device.
    assert found.leakage == pytest.approx(0.2 / 2.2, abs=0.003)
    assert found.of("age") is age
    with pytest.raises(ValueError, match="measured are heart, age, device"):
        found.of("lung")


def test_images_that_cannot_be_measured_are_left_out_whole() -> None:
    values = planted()
    values["heart"][2, :10] = np.nan
    found = direction_effect(DEGREES, values, SPREAD)
    assert found.measurable == 30 and found.of("age").change.n == 30
    values["age"][0] = np.nan
    nothing = direction_effect(DEGREES, values, SPREAD)
    assert (nothing.main, nothing.leakage, nothing.measurable) == (None, None, 0)
    assert nothing.effects[0].change.value is None and nothing.effects[0].correlation is None


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="start at 0 and rise"):
        direction_effect((1.0, 2.0), {}, {})
    with pytest.raises(ValueError, match="no spread is given for heart"):
        direction_effect(DEGREES, planted(), {"age": 1.0, "device": 1.0})
    with pytest.raises(ValueError, match="with 5 degrees"):
        direction_effect(DEGREES, {"age": np.zeros((4, 3))}, SPREAD)


@given(st.lists(st.integers(-5, 5), min_size=3, max_size=12))
def test_rank_correlation_is_spearmans(values: list[int]) -> None:
    degrees = np.arange(len(values), dtype=float)
    ours = rank_correlation(degrees, np.array(values, dtype=float))
    if len(set(values)) == 1:
        assert ours == 0.0
    else:
        assert ours == pytest.approx(spearmanr(degrees, values).statistic)


def test_interval_of_a_mean() -> None:
    found = mean_interval(np.array([1.0, 2.0, 3.0, 4.0]))
    half = 1.959964 * np.std([1, 2, 3, 4], ddof=1) / 2
    assert (found.low, found.high) == pytest.approx((2.5 - half, 2.5 + half))
    assert mean_interval(np.array([3.0])).low is None and mean_interval(np.array([])).value is None


def test_a_device_is_revealed_only_where_it_appears_and_rises() -> None:
    there = np.array([[0.1] * 10, [0.3] * 10, [0.4] * 7 + [0.9] * 3])
    found = reveals((0.0, 5.0, 10.0), there)
    assert found.yes and found.appears.value == pytest.approx(0.3) and found.appears.n == 10
    assert not reveals((0.0, 5.0, 10.0), there[::-1].copy()).yes
    already = reveals((0.0, 5.0, 10.0), np.full((3, 4), 0.9))
    assert not already.yes and already.appears.value is None and already.correlation is None
