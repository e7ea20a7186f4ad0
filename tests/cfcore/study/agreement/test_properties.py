"""What holds for every coefficient, whatever the readings: order does not matter, nothing crashes, nothing is nan."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfcore.study.agreement import (
    brennan_prediger,
    cohen_kappa,
    cohen_pairs,
    conger_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    percent_agreement,
    scott_pi,
    table_from_contingency,
    table_from_counts,
)
from cfcore.study.agreement.table import as_table
from cfcore.study.resampling import resample_patients

ANY_READERS = {
    "raw": percent_agreement,
    "fleiss": fleiss_kappa,
    "conger": conger_kappa,
    "ac": gwet_ac,
    "brennan_prediger": brennan_prediger,
    "alpha": krippendorff_alpha,
}
every = pytest.mark.parametrize("coefficient", ANY_READERS.values(), ids=ANY_READERS)
cells = st.one_of(st.none(), st.integers(0, 3))
tables = st.tuples(st.integers(1, 8), st.integers(1, 4)).flatmap(
    lambda shape: st.lists(st.lists(cells, min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0])
)

fewer = settings(max_examples=40)


def array(rows):
    return np.array(rows, dtype=object).reshape(len(rows), -1)


def same(one, two):
    if one.value is None or two.value is None:
        return one.value is two.value
    pairs = [(one.value, two.value), (one.low, two.low), (one.high, two.high)]
    return all((a is None and b is None) or math.isclose(a, b, abs_tol=1e-9) for a, b in pairs)


def sane(estimate):
    numbers = [x for x in (estimate.value, estimate.low, estimate.high, estimate.se) if x is not None]
    assert all(math.isfinite(x) for x in numbers)
    if estimate.value is None:
        assert estimate.note and estimate.low is None and estimate.high is None
    elif estimate.low is not None:
        assert estimate.low - 1e-9 <= estimate.value <= estimate.high + 1e-9
        assert estimate.high <= 1 + 1e-9
    return True


@every
@fewer
@given(rows=tables, seed=st.integers(0, 99))
def test_never_a_crash_never_nan(coefficient, rows, seed):
    x = array(rows)
    assert sane(coefficient(x, categories=range(4)))
    assert sane(coefficient(x))
    assert sane(coefficient(x, resample=resample_patients(range(len(x)), np.random.default_rng(seed), 50)))


@every
@fewer
@given(rows=tables, seed=st.integers(0, 99))
def test_order_of_readers_and_cases_does_not_matter(coefficient, rows, seed):
    x, rng = array(rows), np.random.default_rng(seed)
    shuffled = x[rng.permutation(len(x))][:, rng.permutation(x.shape[1])]
    assert same(coefficient(x, categories=range(4)), coefficient(shuffled, categories=range(4)))


@every
@fewer
@given(rows=tables)
def test_names_of_categories_do_not_matter(coefficient, rows):
    x = array(rows)
    names = dict(zip(range(4), ["pear", "apple", "fig", "date"], strict=True))
    renamed = np.array([[names.get(cell) for cell in row] for row in rows], dtype=object).reshape(x.shape)
    assert same(coefficient(x), coefficient(renamed))


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=12))
def test_two_readers_conger_is_cohen_and_fleiss_is_scott(rows):
    x = array(rows)
    complete = x[(x != None).all(axis=1)]  # noqa: E711
    if len(complete):
        assert same(conger_kappa(complete), cohen_kappa(complete))
        assert same(fleiss_kappa(complete), scott_pi(complete))
        assert same(cohen_kappa(x, categories=range(4)), cohen_kappa(complete, categories=range(4)))


@every
def test_no_disagreement_is_one_with_an_honest_lower_bound(coefficient):
    x = np.repeat([[0], [1]] * 5, 3, axis=1)
    resample = resample_patients(range(10), np.random.default_rng(0), 200)
    for estimate in (coefficient(x), coefficient(x, resample=resample)):
        assert estimate.value == 1.0 == estimate.high
        assert 0.3 < estimate.low < 0.75
        assert "no disagreement" in estimate.note


def test_everybody_ticks_the_same_box():
    x = np.zeros((10, 3), dtype=int)
    for kappa in (fleiss_kappa, conger_kappa, krippendorff_alpha):
        estimate = kappa(x, categories=(0, 1))
        assert estimate.value is None and "chance agreement is 1" in estimate.note
    for steady in (gwet_ac, brennan_prediger, percent_agreement):
        assert steady(x, categories=(0, 1)).value == 1.0
    assert "only one category" in gwet_ac(x).note and "only one category" in brennan_prediger(x).note
    assert cohen_kappa(x[:, :2], categories=(0, 1)).value is None


@every
def test_a_single_reader_tells_nothing(coefficient):
    assert coefficient(np.array([[0], [1], [1]])).note == "no case has two readings"
    assert coefficient(np.zeros((0, 3))).value is None


@every
def test_a_resample_of_other_cases_is_refused(coefficient):
    x = np.array([[0, 1], [1, 1], [0, 0]])
    with pytest.raises(ValueError, match="draw it from the patients"):
        coefficient(x, resample=resample_patients(range(4), np.random.default_rng(0)))


def test_what_needs_two_readers_or_known_readers_says_so():
    x = np.zeros((3, 3), dtype=int)
    for kappa in (cohen_kappa, scott_pi):
        with pytest.raises(ValueError, match="two readers"):
            kappa(x)
    with pytest.raises(ValueError, match="who read what"):
        conger_kappa(table_from_counts([[3, 0], [1, 2]]))
    with pytest.raises(ValueError, match="outside the categories"):
        gwet_ac([[0, 7]], categories=(0, 1))
    with pytest.raises(ValueError, match="cases, readers"):
        as_table([1, 2, 3])
    with pytest.raises(ValueError, match="weights"):
        gwet_ac([[0, 1]], weights="cubic")
    with pytest.raises(ValueError, match="metric"):
        krippendorff_alpha([[0, 1]], metric="cubic")
    with pytest.raises(ValueError, match="square"):
        table_from_contingency([[1, 2, 3], [1, 2, 3]])


def test_patients_with_several_pairs_are_drawn_together():
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, (20, 3))
    doubled = np.repeat(x, 4, axis=0)
    clustered = resample_patients(np.repeat(np.arange(20), 4), np.random.default_rng(1))
    single = resample_patients(range(20), np.random.default_rng(1))
    assert same(gwet_ac(doubled, resample=clustered), gwet_ac(x, resample=single))


def test_cohen_of_each_pair_of_readers():
    import pandas as pd

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 2, (20, 3)), columns=["anna", "ben", "cleo"])
    pairs = cohen_pairs(frame, categories=(0, 1))
    assert list(zip(pairs["first"], pairs["second"], strict=True)) == [
        ("anna", "ben"),
        ("anna", "cleo"),
        ("ben", "cleo"),
    ]
    assert pairs.value[1] == pytest.approx(cohen_kappa(frame[["anna", "cleo"]]).value)


@pytest.mark.parametrize("accuracy", [0.55, 0.8, 0.97])
def test_known_agreement_is_recovered(accuracy):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 6000)
    right = rng.random((6000, 3)) < accuracy
    x = np.where(right, truth[:, None], 1 - truth[:, None])
    expected = 2 * (accuracy**2 + (1 - accuracy) ** 2) - 1  # balanced, so every coefficient has pe = 1/2
    for coefficient in (fleiss_kappa, conger_kappa, gwet_ac, brennan_prediger, krippendorff_alpha):
        assert coefficient(x, categories=(0, 1)).value == pytest.approx(expected, abs=0.025)


@every
def test_bootstrap_is_fast_enough_for_a_page(coefficient):
    """Eight findings of 30 cases and 3 readers, 2,000 resamples: well under a second per coefficient."""
    rng = np.random.default_rng(0)
    findings = rng.integers(0, 2, (8, 30, 3))
    start = time.process_time()
    resample = resample_patients(range(30), rng)
    for x in findings:
        coefficient(x, categories=(0, 1), resample=resample)
    assert time.process_time() - start < 0.8
