import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfcore.study.spending import alpha_spent, obrien_fleming


def test_five_looks_as_published():
    """O'Brien-Fleming type of Lan and DeMets, two-sided 0.05 (Lan and DeMets 1983; Reboussin et al. 2000)."""
    table = obrien_fleming(5)
    assert list(table.z) == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=5e-4)
    assert table.alpha_spent.iloc[-1] == pytest.approx(0.05)


def test_two_looks():
    table = obrien_fleming(2)
    assert list(table.z) == pytest.approx([2.963, 1.969], abs=5e-4)
    assert list(table.p) == pytest.approx([0.00305, 0.0490], abs=5e-5)


def test_one_look_is_the_fixed_design():
    assert obrien_fleming(1).z[0] == pytest.approx(1.95996, abs=1e-4)


def test_a_look_too_early_can_stop_nothing():
    table = obrien_fleming([0.02, 1.0])
    assert table.z.isna()[0] and table.p.isna()[0] and table.z[1] == pytest.approx(1.96, abs=1e-3)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(5, 99), min_size=1, max_size=4, unique=True), st.sampled_from([0.01, 0.05, 0.1]))
def test_what_is_spent_adds_up_to_alpha(shares, alpha):
    table = obrien_fleming([*(s / 100 for s in sorted(shares)), 1.0], alpha=alpha)
    assert table.alpha_now.sum() == pytest.approx(alpha)
    assert (np.diff(table.alpha_spent) > 0).all()
    assert alpha_spent(1.0, alpha) == pytest.approx(alpha)


def test_simulated_studies_without_an_effect_stop_at_the_nominal_rate():
    table = obrien_fleming([0.4, 0.7, 1.0])
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(40_000, 3)) * np.sqrt(np.diff(table.information, prepend=0))
    z = np.cumsum(steps, axis=1) / np.sqrt(table.information.to_numpy())
    assert np.mean((np.abs(z) >= table.z.to_numpy()).any(axis=1)) == pytest.approx(0.05, abs=0.004)


@pytest.mark.parametrize("looks", [0, [], [0.5, 0.5], [0.9, 0.4], [0.0, 1.0], [0.5, 1.2]])
def test_looks_that_are_none(looks):
    with pytest.raises(ValueError, match=r"looks|Looks"):
        obrien_fleming(looks)


def test_alpha_is_a_probability():
    with pytest.raises(ValueError, match="alpha"):
        obrien_fleming(2, alpha=5)
