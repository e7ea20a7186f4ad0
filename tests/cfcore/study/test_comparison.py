from itertools import product

import numpy as np
import pandas as pd
import pytest

from cfcore.study.comparison import compare, compare_arms, comparison_table, permutation_test
from cfcore.study.decode import decode_readings
from cfcore.study.multiplicity import benjamini_hochberg, holm
from cfcore.study.protocol import Arm, Finding


def rng():
    return np.random.default_rng(0)


def study(patients, readers=3, shares=(0.3, 0.6), own_arm=False, seed=0, spread=1.0):
    draw, rows = np.random.default_rng(seed), []
    for p in range(patients):
        patient = draw.normal() * spread
        for group, share in enumerate(shares):
            if own_arm and p % len(shares) != group:
                continue
            for r in range(readers):
                chance = 1 / (1 + np.exp(-(np.log(share / (1 - share)) + patient + 0.4 * r)))
                rows.append((f"p{p}", f"r{r}", "ab"[group], bool(draw.random() < chance)))
    return pd.DataFrame(rows, columns=["patient", "reader", "group", "value"])


def test_enough_patients_take_the_gee():
    found = compare(study(40), "a", "b", rng())
    assert found.test == "GEE" and found.patients == 40 and found.readings == 240
    assert found.first < found.second and found.difference.value == pytest.approx(found.second - found.first)
    assert found.odds_ratio.low < found.odds_ratio.value < found.odds_ratio.high and found.p < 0.05
    swapped = compare(study(40), "b", "a", rng())
    assert swapped.odds_ratio.value == pytest.approx(1 / found.odds_ratio.value, rel=1e-3)
    assert swapped.p == pytest.approx(found.p, rel=1e-2)


def test_the_gee_is_the_one_of_statsmodels_formulas():
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    data = study(30).assign(y=lambda d: d["value"].astype(int))
    fit = smf.gee(
        "y ~ C(group) + C(reader)",
        "patient",
        data,
        family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Exchangeable(),
    ).fit(cov_type="bias_reduced")
    found = compare(data, "a", "b", rng())
    assert np.log(found.odds_ratio.value) == pytest.approx(fit.params["C(group)[T.b]"], abs=1e-3)
    width = np.log(found.odds_ratio.high / found.odds_ratio.low) / 2
    assert width == pytest.approx(2.048407 * fit.bse["C(group)[T.b]"], rel=1e-3)  # t with 28 degrees of freedom


def test_numbers_are_compared_by_their_means():
    data = study(40)
    draw = np.random.default_rng(1)
    data["value"] = draw.normal(size=len(data)) + (data["group"] == "b")
    found = compare(data, "a", "b", rng())
    assert found.test == "GEE" and found.p < 1e-6 and "not binary" in found.odds_ratio.note
    assert found.difference.value == pytest.approx(1, abs=3 * found.difference.se)


def test_few_patients_swap_labels_within_the_patient():
    data = study(8)
    found = compare(data, "a", "b", rng())
    assert found.test == "permutation within patients" and "fewer than 20" in found.note
    centred = data["value"].astype(float) - data.groupby("reader")["value"].transform("mean")
    means = centred.groupby([data["patient"], data["group"]]).mean().unstack()
    d = (means["b"] - means["a"]).to_numpy()
    sums = np.array([np.dot(signs, d) for signs in product((-1, 1), repeat=8)])
    assert found.p == pytest.approx(np.mean(np.abs(sums) >= abs(d.sum()) - 1e-9))


def test_patients_of_one_arm_each_change_arm_as_a_whole():
    found = compare(study(12, own_arm=True), "a", "b", rng())
    assert found.test == "permutation of patients" and "no patient has both" in found.note
    assert 0 < found.p <= 1


def test_more_readers_who_say_the_same_are_no_more_evidence():
    one = study(10, readers=1, shares=(0.2, 0.7), spread=0)
    many = pd.concat([one.assign(reader=f"r{i}") for i in range(9)])
    assert compare(many, "a", "b", rng()).p == pytest.approx(compare(one, "a", "b", rng()).p)


def test_readers_who_tick_more_do_not_speak_for_their_arm():
    """A rotated design: the eager reader saw more of group b. Without a true difference the test must stay quiet."""
    rows = []
    for p in range(12):
        for group in "ab":
            reader = "eager" if (group == "b") == (p % 4 != 0) else "shy"
            rows.append((p, reader, group, float(reader == "eager")))
    data = pd.DataFrame(rows, columns=["patient", "reader", "group", "value"])
    assert compare(data, "a", "b", rng()).p == 1


def test_a_group_without_variation_falls_back():
    data = study(30)
    data.loc[data["group"] == "a", "value"] = False
    found = compare(data, "a", "b", rng())
    assert found.test == "permutation within patients" and "without variation" in found.note
    assert found.p < 0.001 and found.odds_ratio.value is None


def test_a_reader_who_never_ticks_is_left_out_of_the_model_and_named():
    data = study(30)
    silent = data[data["reader"] == "r0"].assign(reader="silent", value=False)
    found = compare(pd.concat([data, silent]), "a", "b", rng())
    assert found.test == "GEE" and "1 reader who" in found.note
    assert found.odds_ratio.value == pytest.approx(compare(data, "a", "b", rng()).odds_ratio.value)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "no reading"),
        ([("p1", "r1", "a", True)], "no reading"),
        ([("p1", "r1", "a", True), ("p1", "r1", "b", False)], "fewer than two patients"),
        ([("p1", "r1", "a", True), ("p2", "r1", "b", False)], "fewer than two patients"),
    ],
)
def test_nothing_to_test(rows, why):
    found = compare(pd.DataFrame(rows, columns=["patient", "reader", "group", "value"]), "a", "b", rng())
    assert found.p is None and found.test == "" and why in found.note


def test_everybody_alike_is_p_1():
    data = study(30).assign(value=True)
    assert compare(data, "a", "b", rng()).p == 1
    few = study(4).assign(value=False)
    assert compare(few, "a", "b", rng()).p == 1 and "allow no p below 0.125" in compare(few, "a", "b", rng()).note


def test_not_assessed_is_left_out():
    data = study(10)
    gaps = pd.concat([data.astype({"value": object}), data[:5].assign(value=None, reader="r9")])
    assert compare(gaps, "a", "b", rng()).readings == 60


@pytest.mark.parametrize("own_arm", [False, True])
def test_the_false_positive_rate_is_nominal(own_arm):
    draw, wrong = np.random.default_rng(5), 0
    for seed in range(300):
        data = study(10, readers=2, shares=(0.4, 0.4), own_arm=own_arm, seed=seed).rename(columns={"group": "g"})
        p, _, _ = permutation_test(data.assign(second=data["g"] == "b", value=data["value"].astype(float)), draw)
        wrong += p is not None and p <= 0.05
    assert wrong / 300 <= 0.08


def test_the_gees_false_positive_rate_is_nominal():
    wrong = sum(
        (compare(study(24, 2, (0.4, 0.4), seed=s), "a", "b", rng(), resamples=10).p or 0) < 0.05 for s in range(60)
    )
    assert wrong <= 8


ARMS = tuple(Arm(key, key) for key in ("v1", "v2", "w1"))
FINDINGS = (Finding("ctr", "Cardiothoracic ratio"), Finding("old", "Older", "secondary"))


@pytest.fixture
def decoded():
    draw, rows = np.random.default_rng(4), []
    for arm, share in (("v1", 0.8), ("v2", 0.3), ("w1", 0.3)):
        for patient in range(10):
            for reader in ("anna", "ben"):
                answers = {f.key: "B" if draw.random() < share else "neither" for f in FINDINGS}
                row = {"reader": reader, "arm": arm, "patient": patient, "pair": f"{arm}{patient}", "answers": answers}
                rows.append(row | {"original_side": "A"})
                rows.append(row | {"original_side": "A", "purpose": "control"})
    return decode_readings(rows, [f.key for f in FINDINGS])


def test_arms_by_finding_with_the_family_adjusted(decoded):
    table = compare_arms(decoded, FINDINGS, ARMS, rng(), resamples=200)
    assert list(zip(table["first"], table["second"], strict=True)) == [("v1", "v2"), ("v1", "w1"), ("v2", "w1")] * 2
    assert set(table.readings) == {40}, "controls never enter"
    assert list(table.p_adjusted) == pytest.approx(benjamini_hochberg(list(table.p)))
    confirmatory = compare_arms(
        decoded, FINDINGS, ARMS, rng(), contrasts=[("v1", "v2")], family="confirmatory", resamples=200
    )
    assert len(confirmatory) == 2 and set(confirmatory.adjustment) == {"Holm"}
    assert list(confirmatory.p_adjusted) == pytest.approx(holm(list(confirmatory.p)))


def test_arms_may_be_grouped_by_method(decoded):
    table = compare_arms(decoded, FINDINGS[:1], ARMS, rng(), group_of={"v1": "V", "v2": "V", "w1": "W"}, resamples=200)
    assert len(table) == 1 and table.readings[0] == 60
    with pytest.raises(ValueError, match="the groups are"):
        compare_arms(decoded, FINDINGS, ARMS, rng(), contrasts=[("v1", "v9")])


def test_any_tidy_table():
    data = pd.concat([study(9).assign(question="x"), study(9, seed=1).assign(question="y")])
    table = comparison_table(data, [("a", "b")], rng(), by=("question",), resamples=200)
    assert list(table.question) == ["x", "y"] and table.p_adjusted.notna().all()
    assert comparison_table(data, [], rng()).empty
