"""The fast path for many binary outcomes gives what the functions of one table give, to the last digit and note."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfcore.study.agreement import (
    bias_index,
    brennan_prediger,
    cohen_kappa,
    conger_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    percent_agreement,
    prevalence_index,
    specific_agreement,
)
from cfcore.study.agreement.binary import binary_agreement, binary_pairs
from cfcore.study.resampling import draw_patients

ONE_TABLE = {
    "raw_agreement": percent_agreement,
    "ac1": gwet_ac,
    "fleiss": fleiss_kappa,
    "conger": conger_kappa,
    "brennan_prediger": brennan_prediger,
    "alpha": krippendorff_alpha,
}


def table_of(codes):
    cells = codes.astype(object)
    cells[codes < 0] = None
    return np.where(codes == 1, True, np.where(codes == 0, False, None))


def same(one, two):
    assert one.note == two.note and one.n == two.n
    for a, b in ((one.value, two.value), (one.low, two.low), (one.high, two.high), (one.se, two.se)):
        assert (a is None) == (b is None)
        assert a is None or a == pytest.approx(b, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 9), st.integers(1, 4), st.floats(0, 1), st.floats(0, 0.6), st.integers(0, 10**6)
)
def test_as_one_table_at_a_time(outcomes, cases, readers, share, gaps, seed):
    rng = np.random.default_rng(seed)
    codes = (rng.random((outcomes, cases, readers)) < share).astype(np.int8)
    codes[rng.random(codes.shape) < gaps] = -1
    draws = draw_patients(list(rng.integers(0, max(cases // 2, 1), cases)), rng, 60)
    resample = draws.rows()
    for got, one in zip(binary_agreement(codes, draws), codes, strict=True):
        cells = table_of(one)
        for name, function in ONE_TABLE.items():
            same(got[name], function(cells, categories=(False, True), resample=resample))
        for name, category in (("positive_agreement", True), ("negative_agreement", False)):
            same(got[name], specific_agreement(cells, category, categories=(False, True), resample=resample))
        for name, function in (("prevalence_index", prevalence_index), ("bias_index", bias_index)):
            assert got[name].value == pytest.approx(function(cells).value) if got[name].value is not None else True
            assert (got[name].value is None) == (function(cells).value is None)


def test_the_prevalence_index_has_an_interval():
    rng = np.random.default_rng(0)
    codes = (rng.random((1, 40, 3)) < 0.2).astype(np.int8)
    index = binary_agreement(codes, draw_patients(range(40), rng))[0]["prevalence_index"]
    assert index.low < index.value < index.high < 0


def test_nothing_at_all():
    draws = draw_patients([], np.random.default_rng(0), 10)
    got = binary_agreement(np.zeros((2, 0, 3), dtype=np.int8), draws)
    assert len(got) == 2 and got[0]["ac1"].note == "no case has two readings"
    with pytest.raises(ValueError, match="draw it from the patients"):
        binary_agreement(np.zeros((1, 3, 2), dtype=np.int8), draws)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(2, 4), st.floats(0, 1), st.floats(0, 0.5), st.integers(0, 10**6))
def test_pairs_as_one_pair_at_a_time(cases, readers, share, gaps, seed):
    rng = np.random.default_rng(seed)
    codes = (rng.random((cases, readers)) < share).astype(np.int8)
    codes[rng.random(codes.shape) < gaps] = -1
    draws = draw_patients(list(rng.integers(0, max(cases // 2, 1), cases)), rng, 60)
    got = binary_pairs(codes, draws)
    assert len(got) == readers * (readers - 1) // 2
    for (g, h), row in got.items():
        cells = table_of(codes[:, [g, h]])
        # AC1 of one table takes its prevalence from cases with one reading, too; a pair has only what both read.
        cells[(codes[:, [g, h]] < 0).any(axis=1)] = None
        for name, function in (("raw_agreement", percent_agreement), ("cohen", cohen_kappa), ("ac1", gwet_ac)):
            one = function(cells, categories=(False, True), resample=draws.rows())
            assert row[name].n == one.n
            assert (row[name].value is None) == (one.value is None)
            if one.value is not None:
                assert row[name].value == pytest.approx(one.value, abs=1e-9)
            if name != "raw_agreement" and one.low is not None:
                assert (row[name].low, row[name].high) == pytest.approx((one.low, one.high), abs=1e-9)
