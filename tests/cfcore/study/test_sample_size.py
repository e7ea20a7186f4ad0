import numpy as np
import pandas as pd
import pytest

from cfcore.study.agreement import fleiss_kappa, gwet_ac
from cfcore.study.sample_size import Expected, _coefficient, precision_curve, smallest


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(("target", "function"), [("ac1", gwet_ac), ("kappa", fleiss_kappa)])
@pytest.mark.parametrize("readers", [2, 4])
def test_widths_are_those_of_the_published_intervals(target, function, readers):
    draw = rng()
    ticks = draw.random((40, 12, readers)) < draw.random((40, 1, 1))
    ticks[0], ticks[1] = True, np.arange(12)[:, None] % 2 == 0
    value, width = _coefficient(ticks, target, 0.95)
    for table, v, w in zip(ticks, value, width, strict=True):
        one = function(table, categories=(False, True))
        assert np.isnan(v) if one.value is None else v == pytest.approx(one.value)
        assert np.isinf(w) if one.low is None else w == pytest.approx(one.high - one.low)


def test_more_readers_and_more_cases_are_more_precise():
    curve = precision_curve("ac1", Expected(), (2, 6), (20, 80), rng(), simulations=200).set_index(["readers", "cases"])
    assert curve.width[2, 20] > curve.width[2, 80] > 0 and curve.width[2, 20] > curve.width[6, 20]
    assert (curve.width <= curve.width_80).all() and (curve.defined == 1).all()
    assert list(curve.readings) == [40, 160, 120, 480]


def test_the_value_is_what_the_readers_should_reach():
    """Balanced, accuracy 0.9, independent errors: every coefficient is 2 (0.81 + 0.01) - 1 = 0.64."""
    expected = Expected(prevalence=0.5, sensitivity=0.9, specificity=0.9)
    for target in ("ac1", "kappa"):
        assert precision_curve(target, expected, (3,), (400,), rng(), simulations=100).value[0] == pytest.approx(
            0.64, abs=0.01
        )
    row = precision_curve("difference", Expected(0.5, 0.1, 0.9, 0.9), (3,), (400,), rng(), simulations=100).iloc[0]
    assert row.value == pytest.approx(0.4 * 0.8, abs=0.01)


def test_studies_of_the_found_size_keep_the_width():
    expected = Expected(prevalence=0.4)
    curve = precision_curve("ac1", expected, (3,), (20, 40, 80, 160), rng(), simulations=300)
    cases = smallest(curve, 0.25).cases[0]
    draw, kept = np.random.default_rng(7), 0
    for _ in range(100):
        there = draw.random((cases, 1)) < 0.4
        one = gwet_ac(draw.random((cases, 3)) < np.where(there, 0.85, 0.05), categories=(False, True))
        kept += one.high - one.low <= 0.25
    assert kept >= 70


def test_a_rare_finding_leaves_kappa_undefined_and_the_curve_says_so():
    rare = Expected(prevalence=0.0, specificity=1.0)
    row = precision_curve("kappa", rare, (3,), (10,), rng(), simulations=20).iloc[0]
    assert row.defined == 0 and row.width is None and row.value is None
    assert smallest(precision_curve("kappa", rare, (3,), (10,), rng(), simulations=20), 0.5).cases[0] is None
    unchanged = precision_curve("difference", Expected(0, 0, 1, 1), (2,), (30,), rng(), simulations=5).iloc[0]
    assert unchanged.width > 0.1, "no change seen is no certainty"


def test_smallest_waits_until_it_stays_narrow():
    curve = pd.DataFrame(
        [(2, 10, 20, 0.5, 0.2, 0.29, 1.0), (2, 20, 40, 0.5, 0.3, 0.31, 1.0), (2, 40, 80, 0.5, 0.2, 0.25, 1.0)],
        columns=["readers", "cases", "readings", "value", "width", "width_80", "defined"],
    )
    assert smallest(curve, 0.3).to_dict("records") == [{"readers": 2, "cases": 40, "readings": 80}]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"target": "icc"}, "Unknown target"),
        ({"readers": (1, 2)}, "needs 2 or more"),
        ({"cases": (1,)}, "two or more"),
        ({"readers": ()}, "0 readers"),
        ({"simulations": 0}, "0 simulations"),
    ],
)
def test_bad_input(change, told):
    options = {"target": "ac1", "readers": (2,), "cases": (10,), "simulations": 5} | change
    target, readers, cases = (options.pop(k) for k in ("target", "readers", "cases"))
    with pytest.raises(ValueError, match=told):
        precision_curve(target, Expected(), readers, cases, rng(), **options)


def test_bad_expectations():
    with pytest.raises(ValueError, match="prevalence is 30"):
        Expected(prevalence=30)
    with pytest.raises(ValueError, match="above 0"):
        smallest(pd.DataFrame(), 0)
