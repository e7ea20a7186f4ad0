import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.study.agreement import (
    bias_index,
    pabak,
    percent_agreement,
    prevalence_index,
    specific_agreement,
    table_from_contingency,
)
from cfcore.study.resampling import resample_patients

cells = st.integers(0, 20)


@given(cells, cells, cells, cells)
def test_two_readers_as_in_byrt_1993(d, c, b, a):
    """a: both positive, d: both negative."""
    n = a + b + c + d
    table = table_from_contingency([[d, c], [b, a]], (False, True))
    if n == 0:
        assert prevalence_index(table).value is bias_index(table).value is None
        return
    assert prevalence_index(table).value == pytest.approx((a - d) / n)
    assert bias_index(table).value == pytest.approx(abs(b - c) / n)
    assert pabak(table).value == pytest.approx(2 * (a + d) / n - 1)
    positive, negative = specific_agreement(table, True), specific_agreement(table, False)
    if 2 * a + b + c:
        assert positive.value == pytest.approx(2 * a / (2 * a + b + c))
    else:
        assert positive.value is None and "nobody chose True" in positive.note
    if 2 * d + b + c:
        assert negative.value == pytest.approx(2 * d / (2 * d + b + c))


def test_gaps_drop_out_case_by_case():
    x = np.array([[True, True, None], [True, False, True], [None, None, False], [False, False, False]], dtype=object)
    assert percent_agreement(x).value == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert specific_agreement(x, True).value == pytest.approx((2 + 2) / (2 + 4))
    assert percent_agreement(x).n == 3


def test_intervals_stay_within_shares():
    rng = np.random.default_rng(0)
    x = rng.random((12, 3)) < 0.5
    resample = resample_patients(range(12), rng)
    for estimate in (percent_agreement(x), percent_agreement(x, resample=resample)):
        assert 0 <= estimate.low < estimate.value < estimate.high <= 1
    positive = specific_agreement(x, True, resample=resample)
    assert 0 <= positive.low < positive.value < positive.high <= 1


def test_pabak_of_more_categories_is_refused():
    with pytest.raises(ValueError, match="two categories"):
        pabak([[0, 1]], categories=(0, 1, 2))
