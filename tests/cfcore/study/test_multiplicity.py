import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from cfcore.study.multiplicity import adjusted, benjamini_hochberg, holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(p_values)
def test_as_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-12)


def test_worked_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_no_test_is_no_member_of_the_family():
    assert holm([0.02, None, 0.03]) == [pytest.approx(0.04), None, pytest.approx(0.04)]
    assert benjamini_hochberg([None, float("nan")]) == [None, None] and holm([]) == []
    with pytest.raises(ValueError, match="outside 0 to 1"):
        holm([1.2])


def test_the_family_chooses_the_procedure():
    assert adjusted([0.01, 0.02], "confirmatory")[1] == "Holm"
    assert adjusted([0.01, 0.02], "exploratory")[1] == "Benjamini-Hochberg"
    with pytest.raises(ValueError, match="confirmatory or exploratory"):
        adjusted([0.1], "primary")  # type: ignore[arg-type]


def test_holm_keeps_the_family_wise_error():
    rng = np.random.default_rng(0)
    wrong = np.mean([min(x for x in holm(list(rng.random(8))) if x is not None) < 0.05 for _ in range(2000)])
    assert wrong <= 0.06
