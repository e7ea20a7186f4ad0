import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from cfcore.study.forced_choice import bradley_terry, choice_table, side_bias, sign_flip_p, strengths_table
from cfcore.study.intervals import clopper_pearson
from cfcore.study.protocol import Arm
from cfcore.study.questions import ForcedChoice, Likert


def rng():
    return np.random.default_rng(0)


@given(st.integers(0, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_one_choice_a_patient_is_the_binomial_test(case):
    k, n = case
    expected = binomtest(k, n).pvalue if n else 1.0
    assert sign_flip_p([1] * k + [-1] * (n - k)) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=25)
@given(st.lists(st.integers(-4, 4), max_size=9))
def test_sign_flips_by_brute_force(d):
    sums = np.zeros(1)
    for x in d:
        sums = np.concatenate([sums + x, sums - x])
    assert sign_flip_p(d) == pytest.approx(np.mean(np.abs(sums) >= abs(sum(d))), abs=1e-9)


def choices(chosen, arm="a"):
    rows = [(arm, f"p{i}", "anna", "AB"[i % 2], c) for i, c in enumerate(chosen)]
    return pd.DataFrame(rows, columns=["arm", "patient", "reader", "side", "chosen"])


def test_share_of_the_target():
    frame = pd.concat([choices(["counterfactual"] * 9 + ["original"] * 3 + [None]), choices([None], "b")])
    a, b = choice_table(frame, rng()).to_dict("records")
    assert (a["choices"], a["missing"], a["patients"], a["share"]) == (12, 1, 12, 0.75)
    assert a["share_low"] < 0.75 < a["share_high"] and a["p"] == pytest.approx(binomtest(9, 12).pvalue)
    assert b["share"] is None or np.isnan(b["share"])
    assert b["share_note"] == "no choice" and pd.isna(b["p"])


def test_readers_who_repeat_each_other_bring_no_significance():
    """Ten readers who follow the same coin per patient: p must not be that of 100 independent choices."""
    followed = choices(["counterfactual"] * 7 + ["original"] * 3)
    everyone = pd.concat([followed.assign(reader=f"r{i}") for i in range(10)])
    one, ten = (choice_table(x, rng()).iloc[0] for x in (followed, everyone))
    assert ten.p == pytest.approx(one.p) and ten.share_low == pytest.approx(one.share_low)


def test_side_bias():
    frame = pd.DataFrame({"reader": ["anna"] * 20 + ["ben"], "side": ["A"] * 18 + ["B"] * 2 + [None]})
    anna, ben = side_bias(frame).to_dict("records")
    assert anna["first_side"] == 0.9 and anna["p"] == pytest.approx(binomtest(18, 20).pvalue)
    assert anna["first_side_low"] == clopper_pearson(18, 20).low
    assert ben["choices"] == 0 and ben["first_side_note"] == "no reading" and pd.isna(ben["p"])


def duels(wins):
    rows = [(f"p{i}", *pair) for i, pair in enumerate(pair for pair, n in wins.items() for _ in range(n))]
    return pd.DataFrame(rows, columns=["patient", "winner", "loser"])


# American League 1987, wins of the row team (Agresti, Categorical Data Analysis, table 10.10).
TEAMS = ["Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore"]
WINS = [
    [0, 7, 9, 7, 7, 9, 11],
    [6, 0, 7, 5, 11, 9, 9],
    [4, 6, 0, 7, 7, 8, 12],
    [6, 8, 6, 0, 6, 7, 10],
    [6, 2, 6, 7, 0, 7, 12],
    [4, 4, 5, 6, 6, 0, 6],
    [2, 4, 1, 3, 1, 7, 0],
]


def test_baseball_as_agresti():
    games = {(TEAMS[i], TEAMS[j]): WINS[i][j] for i in range(7) for j in range(7) if i != j}
    table = bradley_terry(duels(games), rng(), resamples=200).set_index("method")
    assert list(table.index) == TEAMS
    against_baltimore = table.strength - table.strength["Baltimore"]
    # His maximum likelihood estimates; the penalty draws ours a little towards 0.
    published = [1.581, 1.436, 1.294, 1.248, 1.108, 0.684, 0.0]
    assert list(against_baltimore) == pytest.approx(published, abs=0.04)
    assert table.strength.sum() == pytest.approx(0, abs=1e-9)
    assert (table.strength_low < table.strength).all() and (table.strength < table.strength_high).all()


def test_two_methods_are_the_share_with_half_a_win_each():
    """Jeffreys' prior of a single log odds adds half a win to both sides (Firth 1993)."""
    table = bradley_terry(duels({("x", "y"): 9, ("y", "x"): 3}), rng()).set_index("method")
    assert table.strength["x"] - table.strength["y"] == pytest.approx(np.log(9.5 / 3.5))
    assert table.chance["x"] == pytest.approx(9.5 / 13)


def test_strengths_are_recovered_and_covered():
    truth, draw = np.array([0.8, 0.0, -0.8]), np.random.default_rng(2)
    hits = 0
    for _ in range(60):
        rows = []
        for p in range(40):
            for i, j in ((0, 1), (0, 2), (1, 2)):
                first = draw.random() < 1 / (1 + np.exp(truth[j] - truth[i]))
                rows.append((p, *((i, j) if first else (j, i))))
        frame = pd.DataFrame(rows, columns=["patient", "winner", "loser"])
        top = bradley_terry(frame, draw, resamples=300).set_index("method").loc[0]
        hits += top.strength_low <= 0.8 <= top.strength_high
    assert hits >= 52


def test_a_method_that_won_everything_stays_finite():
    table = bradley_terry(duels({("x", "y"): 6, ("y", "z"): 4, ("z", "y"): 2}), rng()).set_index("method")
    assert np.isfinite(table.strength.astype(float)).all() and "penalised" in table.strength_note["x"]


def test_methods_that_never_met():
    table = bradley_terry(duels({("x", "y"): 3, ("z", "w"): 3}), rng())
    assert table.strength.isna().all() and "never met" in table.strength_note[0]
    assert "fewer than two" in bradley_terry(duels({}), rng(), methods=["x"]).strength_note[0]
    assert bradley_terry(duels({}), rng()).empty


def test_bad_duels():
    with pytest.raises(ValueError, match="both sides"):
        bradley_terry(duels({("x", "x"): 1}), rng())
    with pytest.raises(ValueError, match="methods are"):
        bradley_terry(duels({("x", "y"): 1}), rng(), methods=["x"])


REAL, SHARPER = (ForcedChoice(key=key, text=f"Which one is {key}?") for key in ("real", "sharper"))
ARMS = tuple(Arm(key, key) for key in ("v1+", "v2-", "unread"))


def answered(question, arm, chosen, purpose="reading"):
    rows = [(question, arm, f"{arm}{i}", purpose, "answered" if c else "missing", c) for i, c in enumerate(chosen)]
    return pd.DataFrame(rows, columns=["question", "arm", "patient", "purpose", "status", "chosen"])


def test_arms_are_ranked_through_their_originals():
    """The originals are one method: arms that never met differ by the odds that each has against them."""
    said = [
        answered("real", "v1+", ["counterfactual"] * 9 + ["original"] * 3 + [None]),
        answered("real", "v2-", ["counterfactual"] * 2 + ["original"] * 10),
        answered("real", "v2-", ["counterfactual"] * 30, "repeat"),
        answered("real", "v2-", ["counterfactual"] * 30, "control"),
    ]
    asked = [Likert(key="sure", text="Sure?"), REAL, SHARPER]
    table = strengths_table(pd.concat(said), asked, ARMS, rng())
    real = table[table["question"] == "real"]
    assert list(real["arm"]) == ["v1+", "", "v2-", "unread"] and list(real["arm_name"])[1] == "originals"
    assert list(real["duels"]) == [12, 24, 12, 0] and list(real["wins"]) == [9, 13, 2, 0]
    strength = real.set_index("arm")["strength"]
    assert strength["v1+"] - strength[""] == pytest.approx(np.log(9.5 / 3.5))
    assert strength["v2-"] - strength[""] == pytest.approx(np.log(2.5 / 10.5))
    first = real.iloc[0]
    assert first.strength_low < first.strength < first.strength_high and 0 < first.chance_low < first.chance_high < 1
    silent = table[(table["arm"] == "unread") | (table["question"] == "sharper")]
    assert len(silent) == 5 and silent["strength"].isna().all() and set(silent["strength_note"]) == {"no choice"}


def test_a_question_more_leaves_the_others_their_intervals():
    said = answered("real", "v1+", ["counterfactual"] * 7 + ["original"] * 5)
    one, two = (strengths_table(said, asked, ARMS[:1], rng()) for asked in ([REAL], [REAL, SHARPER]))
    pd.testing.assert_frame_equal(one, two[two["question"] == "real"])


def test_a_study_without_forced_choices_has_no_strengths():
    none = answered("real", "v1+", [])
    table = strengths_table(none, [Likert(key="sure", text="Sure?")], ARMS, rng())
    assert table.empty and list(table)[:5] == ["question", "arm", "arm_name", "duels", "wins"]
