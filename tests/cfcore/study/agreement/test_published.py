"""Published worked examples. Letters as in the project's list of examples; '.' is a missing reading."""

import numpy as np
import pytest

from cfcore.study.agreement import (
    brennan_prediger,
    cohen_kappa,
    conger_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    pabak,
    percent_agreement,
    scott_pi,
    table_from_contingency,
    table_from_counts,
)


def readings(text):
    lines = [[None if cell == "." else int(cell) for cell in line.split()] for line in text.strip().splitlines()]
    return np.array(lines, dtype=object).T


# A: Krippendorff 2011, four observers (rows here), twelve units.
A = readings("""
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
""")
# C: Gwet 2014 has the 3 of unit 12 with the third reader.
C = A.copy()
C[11, 1], C[11, 2] = None, 3
E = table_from_contingency([[13, 0, 0], [0, 20, 7], [0, 4, 56]])
G = table_from_counts(
    readings("""
    0 0 0 0 2 7 3 2 6 0
    0 2 0 3 2 7 2 5 5 2
    0 6 3 9 8 0 6 3 2 2
    0 4 5 2 1 0 3 2 1 3
    14 2 6 0 1 0 0 2 0 7
    """)
)


@pytest.mark.parametrize(
    ("metric", "alpha"),
    [("nominal", 0.743421), ("ordinal", 0.815388), ("interval", 0.849107), ("ratio", 0.797403)],
)
def test_a_krippendorff(metric, alpha):
    assert krippendorff_alpha(A, metric=metric).value == pytest.approx(alpha, abs=5e-7)


def test_c_gwet_ac1():
    ac1 = gwet_ac(C)
    assert ac1.value == pytest.approx(0.7754, abs=5e-5)
    assert ac1.se == pytest.approx(0.1429, abs=5.1e-5)
    assert (ac1.low, ac1.high) == (pytest.approx(0.4608, abs=5e-5), 1.0)
    assert ac1.n == 11


@pytest.mark.parametrize(
    ("coefficient", "value"),
    [
        (percent_agreement, 0.8182),
        (fleiss_kappa, 0.7612),
        (conger_kappa, 0.7628),
        (brennan_prediger, 0.7727),
        (krippendorff_alpha, 0.7434),
    ],
)
def test_c_unweighted(coefficient, value):
    assert coefficient(C).value == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize(("weights", "ac2"), [("linear", 0.859), ("ordinal", 0.899)])
def test_c_gwet_ac2(weights, ac2):
    assert gwet_ac(C, weights=weights).value == pytest.approx(ac2, abs=5e-4)


@pytest.mark.parametrize(
    ("coefficient", "options", "se"),
    [
        (fleiss_kappa, {}, 0.153019),
        (conger_kappa, {}, 0.149168),
        (brennan_prediger, {}, 0.144717),
        (gwet_ac, {"weights": "ordinal"}, 0.106904),
        (fleiss_kappa, {"weights": "linear"}, 0.148504),
        (conger_kappa, {"weights": "quadratic"}, 0.143671),
        (brennan_prediger, {"weights": "quadratic"}, 0.110894),
    ],
)
def test_c_standard_errors_as_the_irrcac_package_prints_them(coefficient, options, se):
    assert coefficient(C, **options).se == pytest.approx(se, abs=5e-7)


def test_c_alpha_interval_close_to_the_irrcac_package():
    # irrCAC centres on its value without the small-sample term, so the two differ in the fourth decimal.
    alpha = krippendorff_alpha(C)
    assert alpha.se == pytest.approx(0.145574, abs=2e-4)
    assert alpha.low == pytest.approx(0.419062, abs=5e-4)


@pytest.mark.parametrize(
    ("coefficient", "value"),
    [
        (percent_agreement, 0.890),
        (cohen_kappa, 0.796),
        (scott_pi, 0.796),
        (brennan_prediger, 0.835),
        (gwet_ac, 0.849),
        (krippendorff_alpha, 0.797),
    ],
)
def test_e_two_readers(coefficient, value):
    assert coefficient(E).value == pytest.approx(value, abs=5e-4)


@pytest.mark.parametrize(("coefficient", "low", "high"), [(cohen_kappa, 0.680, 0.913), (gwet_ac, 0.764, 0.935)])
def test_e_intervals(coefficient, low, high):
    estimate = coefficient(E)
    assert (estimate.low, estimate.high) == (pytest.approx(low, abs=5e-4), pytest.approx(high, abs=5e-4))


def test_g_fleiss():
    assert fleiss_kappa(G).value == pytest.approx(0.209931, abs=5e-7)


@pytest.mark.parametrize(
    ("matrix", "agreement", "kappa", "adjusted", "ac1"),
    [
        ([[40, 9], [6, 45]], 0.85, 0.6995, 0.70, 0.7007),
        ([[80, 10], [5, 5]], 0.85, 0.3182, 0.70, 0.8080),
        ([[45, 15], [25, 15]], None, 0.1304, None, None),
        ([[25, 35], [5, 35]], None, 0.2593, None, None),
    ],
)
def test_i_kappa_paradox(matrix, agreement, kappa, adjusted, ac1):
    table = table_from_contingency(matrix, (False, True))
    assert cohen_kappa(table).value == pytest.approx(kappa, abs=5e-5)
    if agreement is not None:
        assert percent_agreement(table).value == pytest.approx(agreement)
        assert pabak(table).value == pytest.approx(adjusted)
        assert gwet_ac(table).value == pytest.approx(ac1, abs=5.1e-5)
