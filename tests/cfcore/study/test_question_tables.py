import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.study.decode_questions import decode_guesses, decode_marks, decode_questions
from cfcore.study.protocol import Arm
from cfcore.study.question_tables import question_tables, weighted_medians
from cfcore.study.questions import Choice, Condition, ForcedChoice, FreeText
from tests.cfcore.study.question_kinds import EACH

ARMS = (Arm("v1+", "v1 +"), Arm("v2-", "v2 −"))


def row(reader="R1", patient="P1", side="A", purpose="counted", arm="v1+", answers=None, **given):
    return {
        "reader": reader,
        "arm": arm,
        "patient": patient,
        "pair": f"C{patient[1:]}",
        "original_side": side,
        "purpose": purpose,
        "position": 0,
        "answers": answers or {},
        "given": given,
    }


def of(decoded, key):
    return decoded[decoded["question"] == key].reset_index(drop=True)


@pytest.mark.parametrize(
    ("side", "answer", "chosen", "right"),
    [("A", "A", "original", True), ("B", "A", "counterfactual", False), ("B", "B", "original", True)],
)
def test_a_forced_choice_decodes_to_what_stood_on_that_side(side, answer, chosen, right):
    found = of(decode_questions([row(side=side, real=answer)], EACH), "real").iloc[0]
    assert (found["chosen"], found["right"], found["status"]) == (chosen, right, "answered")


def test_sides_decode_to_original_and_counterfactual():
    found = of(decode_questions([row(side="B", lines="A"), row(side="A", lines="cannot")], EACH), "lines")
    assert found["in_counterfactual"].tolist()[0] is True and found["in_original"].tolist()[0] is False
    assert found["status"].tolist() == ["answered", "cannot"] and found["in_original"].isna().tolist() == [False, True]


def test_a_question_that_was_closed_is_not_asked_and_not_missing():
    rows = [
        row(person="same"),
        row(patient="P2", person="different", why="the rib"),
        row(patient="P3", person="different"),
    ]
    assert of(decode_questions(rows, EACH), "why")["status"].tolist() == ["not asked", "answered", "missing"]


def test_after_a_series_only_its_questions_are_asked():
    rows = [row(purpose="series", device="present"), row(change=3)]
    decoded = decode_questions(rows, EACH)
    assert set(decoded[decoded["occasion"] == "series"]["question"]) == {"device"}
    assert "device" not in set(decoded[decoded["occasion"] == "pair"]["question"])
    table = question_tables(decoded, decode_marks(rows, EACH), EACH, ARMS, np.random.default_rng(0))["device"]
    assert table[table["option"] == "present"].iloc[0]["count"] == 1


def test_training_is_no_answer_and_repeats_and_controls_enter_no_table():
    rows = [
        row(change=10),
        row(change=90, purpose="repeat"),
        row(change=90, purpose="control"),
        row(change=90, purpose="training"),
    ]
    decoded = decode_questions(rows, EACH)
    assert len(of(decoded, "change")) == 3
    table = question_tables(decoded, decode_marks(rows, EACH), EACH, ARMS, np.random.default_rng(0))["change"]
    assert table.iloc[0]["mean"] == 10 and table.iloc[0]["readings"] == 1


def test_guesses_are_right_where_the_counterfactuals_side_was_named():
    rows = [row(purpose="guess", guess="B"), row(purpose="guess", guess="A"), row(purpose="guess", guess="unsure")]
    rows += [row(purpose="guess"), row(change=3)]
    assert decode_guesses(rows)["guess"].fillna("none").tolist() == ["right", "wrong", "unsure", "none"]


def test_marks_carry_the_image_they_were_drawn_on_and_their_size():
    polygon = EACH[9].__class__(key="outline", text="Outline", shape="polygon", most=2)
    rows = [
        row(side="B", where=[{"side": "A", "points": [[10, 20], [14, 26]]}]),
        row(patient="P2", side="A", outline=[{"side": "A", "points": [[0, 0], [4, 0], [4, 2], [0, 2]]}]),
        row(patient="P3", where=[]),
    ]
    marks = decode_marks(rows, (*EACH, polygon))
    box, shape = marks.iloc[0], marks.iloc[1]
    assert box["image"] == "counterfactual" and (box["x"], box["y"], box["area"]) == (12, 23, 24)
    assert shape["image"] == "original" and (shape["x"], shape["y"], shape["area"]) == (2, 1, 8)
    decoded = decode_questions(rows, (*EACH, polygon))
    assert of(decoded, "where")["value"].fillna(-1).tolist() == [1, -1, 0]
    table = question_tables(decoded, marks, EACH, ARMS, np.random.default_rng(0))["where"]
    there = table[(table["image"] == "counterfactual") & (table["arm"] == "v1+")].iloc[0]
    assert there["with_mark"] == 0.5 and there["marks"] == 1 and there["missing"] == 1 and there["area"] == 24


def test_real_or_generated_in_single_images_is_scored():
    choice = Choice(key="sort", text="?", options=("r", "g"), right_for_original="r", right_for_counterfactual="g")
    rows = [row(sort="r", side=side, purpose="single") for side in ("A", "B")]
    assert decode_questions(rows, (choice,))["right"].tolist() == [True, False]


def test_means_medians_and_shares_come_with_intervals_that_hold_them():
    rng = np.random.default_rng(3)
    rows = [
        row(reader=f"R{r}", patient=f"P{p}", side="AB"[p % 2], change=int(rng.integers(20, 80)), ratio=50.5,
            real="AB"[int(rng.integers(2))], person="same", quality=int(rng.integers(1, 8)), sure={"ctr": 4},
            answers={"ctr": "A"})
        for p in range(12) for r in range(3)
    ]  # fmt: skip
    decoded, marks = decode_questions(rows, EACH), decode_marks(rows, EACH)
    tables = question_tables(decoded, marks, EACH, ARMS, np.random.default_rng(0), resamples=400)
    for key, name in (("change", "mean"), ("change", "median"), ("quality", "mean"), ("real", "share")):
        found = tables[key].iloc[0]
        assert found[f"{name}_low"] < found[name] < found[f"{name}_high"], key
    values = [r["given"]["change"] for r in rows]
    assert tables["change"].iloc[0]["mean"] == pytest.approx(np.mean(values))
    assert tables["change"].iloc[0]["median"] == np.median(values)
    same = tables["person"][tables["person"]["arm"] == "v1+"].set_index("option")
    assert same.loc["same", "share"] == 1 and same.loc["same", "share_low"] < 1
    assert tables["sure"].iloc[0]["finding"] == "ctr" and tables["sure"].iloc[0]["mean"] == 4
    # The second arm has no reading: counted as such, and nothing is a number there.
    assert tables["change"].iloc[1]["readings"] == 0 and tables["change"].iloc[1]["mean_note"] == "no answer"


def test_no_reading_at_all_gives_tables_that_say_so():
    decoded, marks = decode_questions([], EACH), decode_marks([], EACH)
    tables = question_tables(decoded, marks, EACH, ARMS, np.random.default_rng(0), resamples=50)
    assert set(tables) == {q.key for q in EACH}
    assert len(tables["real"]) == 2 and tables["real"]["share_note"].tolist() == ["no choice"] * 2
    assert len(tables["why"]) == 0


def test_texts_are_listed_with_reader_and_case_and_a_new_question_moves_no_interval():
    free = FreeText(key="note", text="Note", only_if=Condition("real", ("A",)))
    asked = (ForcedChoice(key="real", text="Real?"), free)
    rows = [row(patient=f"P{i}", real="A" if i % 3 else "B", note="العربية 🫁") for i in range(9)]
    decoded, marks = decode_questions(rows, asked), decode_marks(rows, asked)
    both = question_tables(decoded, marks, asked, ARMS, np.random.default_rng(1))
    one = question_tables(decoded, marks, asked[:1], ARMS, np.random.default_rng(1))
    assert both["note"]["text"].tolist() == ["العربية 🫁"] * 6
    assert both["real"].iloc[0]["share_low"] == one["real"].iloc[0]["share_low"]


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 4)), min_size=1, max_size=12))
def test_a_weighted_median_is_the_median_of_the_values_written_out(pairs):
    values = np.array([v for v, _ in pairs], dtype=float)
    weights = np.array([[w for _, w in pairs]], dtype=float)
    written = np.repeat(values, [w for _, w in pairs])
    found = weighted_medians(values, weights)[0]
    assert np.isnan(found) if not len(written) else found == np.median(written)
