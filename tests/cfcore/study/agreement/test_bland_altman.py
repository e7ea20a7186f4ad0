import numpy as np
import pytest

from cfcore.study.agreement import bland_altman
from cfcore.study.resampling import resample_patients

# Bland and Altman 1986, peak expiratory flow of 17 subjects by two meters, first readings (l/min).
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
FLOW = np.array([WRIGHT, MINI]).T


def test_peak_flow_as_published():
    found = bland_altman(FLOW)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    assert found.bias.value == pytest.approx(-2.1, abs=0.05)
    assert (found.bias.low, found.bias.high) == (pytest.approx(-22.0, abs=0.1), pytest.approx(17.8, abs=0.1))
    # The paper rounds 1.96 to 2: -79.7 and 75.5.
    assert found.lower.value == pytest.approx(-2.1 - 1.96 * 38.8, abs=0.1)
    assert found.upper.value == pytest.approx(-2.1 + 1.96 * 38.8, abs=0.1)
    # Its standard error of a limit is sqrt(3 sd^2 / n) = 16.3, the approximation of ours.
    assert found.upper.se == pytest.approx(16.3, abs=0.2)


def test_bootstrap_agrees_with_the_closed_form():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 1)) + rng.normal(0, 1, (60, 2))
    closed, drawn = bland_altman(x), bland_altman(x, resample=resample_patients(range(60), rng))
    for name in ("bias", "lower", "upper"):
        one, two = getattr(closed, name), getattr(drawn, name)
        assert one.value == two.value and two.se == pytest.approx(one.se, rel=0.25)


def test_the_limits_hold_the_share_and_cover():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        upper = bland_altman(rng.normal(0, 1, (25, 2))).upper
        hits += upper.low <= 1.959964 * np.sqrt(2) <= upper.high
    assert 0.92 <= hits / 400 <= 0.98


def test_swapping_the_readers_mirrors_the_limits():
    one, two = bland_altman(FLOW), bland_altman(FLOW[:, ::-1])
    assert one.bias.value == -two.bias.value and one.lower.value == pytest.approx(-two.upper.value)


def test_degenerate_tables():
    gap = np.vstack([FLOW.astype(object), [[None, 3]]])
    assert bland_altman(gap).bias.note == "1 case with a gap left out" and bland_altman(gap).sd == bland_altman(FLOW).sd
    equal = bland_altman([[1, 2], [3, 4], [5, 6]])
    assert (equal.bias.value, equal.lower.value, equal.sd) == (-1, -1, 0) and "no interval" in equal.upper.note
    assert bland_altman([[1, 2]]).bias.value is None and bland_altman(np.empty((0, 2))).sd is None
    with pytest.raises(ValueError, match="two columns"):
        bland_altman([[1, 2, 3]])
