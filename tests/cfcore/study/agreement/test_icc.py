import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfcore.study.agreement import FORMS, icc

# H: Shrout and Fleiss 1979, six targets (columns here), four judges.
H = np.array([[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]]).T


@pytest.mark.parametrize(
    ("form", "value"),
    [("1,1", 0.1657), ("2,1", 0.2898), ("3,1", 0.7148), ("1,k", 0.4428), ("2,k", 0.6201), ("3,k", 0.9093)],
)
def test_h_values(form, value):
    assert icc(H, form).value == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize(("form", "low", "high"), [("2,1", 0.02, 0.76), ("2,k", 0.07, 0.93)])
def test_h_intervals(form, low, high):
    estimate = icc(H, form)
    assert estimate.low == pytest.approx(low, abs=5e-3) and estimate.high == pytest.approx(high, abs=5e-3)


@pytest.mark.parametrize(
    ("form", "low", "high"),
    [("1,1", -0.1329, 0.7226), ("3,1", 0.3425, 0.9459), ("1,k", -0.8844, 0.9124), ("3,k", 0.6757, 0.9859)],
)
def test_h_intervals_as_the_psych_package_prints_them(form, low, high):
    estimate = icc(H, form)
    assert estimate.low == pytest.approx(low, abs=2e-4) and estimate.high == pytest.approx(high, abs=2e-4)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 4)).flatmap(
        lambda s: st.lists(
            st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=s[1], max_size=s[1]), min_size=s[0], max_size=6
        )
    )
)
def test_never_a_crash_never_nan(form, rows):
    estimate = icc(np.array(rows, dtype=object), form)
    numbers = [x for x in (estimate.value, estimate.low, estimate.high) if x is not None]
    assert np.all(np.isfinite(numbers)) and all(x <= 1 + 1e-9 for x in numbers)
    assert estimate.value is not None or estimate.note
    if estimate.low is not None:
        assert estimate.low - 1e-9 <= estimate.value <= estimate.high + 1e-9


@pytest.mark.parametrize("form", FORMS)
def test_degenerate_tables(form):
    assert "same" in icc(np.full((5, 3), 4), form).note
    assert "fewer than 2" in icc(np.array([[1, 2, 3]]), form).note
    assert icc(np.repeat([[1], [3], [5]], 2, axis=1), form).value == pytest.approx(1)


@pytest.mark.parametrize(
    ("table", "value"), [([[1, 3], [2, 2]], -1), ([[1, 4], [3, 2]], -4), ([[3, 3], [5, 1], [5, 1]], -1 / 3)]
)
def test_cases_with_one_mean_have_a_value_and_no_interval(table, value):
    assert icc(np.array(table)).value == pytest.approx(value)
    for form in ("2,1", "2,k"):
        estimate = icc(np.array(table), form)
        assert (estimate.low, estimate.high) == (None, None) and "no degrees of freedom" in estimate.note


def test_readers_who_differ_by_a_constant_are_consistent_not_in_agreement():
    x = np.array([[1, 2], [2, 3], [4, 5]])
    assert icc(x, "3,1").value == pytest.approx(1) and "no residual" in icc(x, "3,1").note
    assert icc(x, "2,1").value < 1


def test_cases_with_a_gap_are_left_out_and_counted():
    gap = np.vstack([H.astype(object), [[None, 3, 4, 5]]])
    assert icc(gap).value == icc(H).value and icc(gap).note == "1 case with a gap left out"
    with pytest.raises(ValueError, match="Unknown form"):
        icc(H, "4,1")


def test_the_interval_covers():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        x = rng.normal(0, 1, (15, 1)) + rng.normal(0, 1, (15, 3))
        estimate = icc(x, "1,1")
        hits += estimate.low <= 0.5 <= estimate.high
    assert 0.92 <= hits / 400 <= 0.98
