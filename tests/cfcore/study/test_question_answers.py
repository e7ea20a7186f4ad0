import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.study.question_answers import fault, open_questions, shown_questions
from cfcore.study.questions import Choice, Condition, FreeText, Likert, Mark, Number, SameDifferent
from tests.cfcore.study.question_kinds import EACH, GOOD

BY_KEY = {q.key: q for q in EACH}
SIZE = (80, 96)


@pytest.mark.parametrize("key", GOOD)
def test_good_answers_pass(key):
    for value in GOOD[key]:
        assert fault(BY_KEY[key], value, SIZE, ("ctr", "older")) == ""


BAD = [
    ("lines", "left", "A, B, both"),
    ("device", "A", "present, absent"),
    ("quality", 8, "1, 2, 3"),
    ("quality", True, "no answer"),
    ("quality", "3", "no answer"),
    ("change", 101, "0 to 100"),
    ("change", 3.5, "0 to 100"),
    ("real", "both", "A, B"),
    ("person", "A", "same, different"),
    ("lobe", "middle", "upper, lower"),
    ("ratio", 300.5, "out of range"),
    ("ratio", 1.23, "1 decimals"),
    ("ratio", float("nan"), "no number"),
    ("ratio", True, "no number"),
    ("ratio", "12", "no number"),
    ("why", "  ", "write it"),
    ("why", "x" * 2001, "2000"),
    ("why", 3, "must be a text"),
    ("where", {"side": "A"}, "list of marks"),
    ("where", [{"side": "A", "points": [[1, 1]]}], "2 points"),
    ("where", [{"side": "C", "points": [[1, 1], [2, 2]]}], "side"),
    ("where", [{"side": "A", "points": [[1, 1], [81, 2]]}], "80 × 96"),
    ("where", [{"side": "A", "points": [[1, 1], [2]]}], "two numbers"),
    ("where", [{"side": "A", "points": [[1, 1], [2, None]]}], "two numbers"),
    ("where", [{"side": "A", "points": [[1, 1], [2, 2]]}] * 4, "at most 3"),
    ("sure", {}, "a confidence"),
    ("sure", {"nobody": 3}, "nobody"),
    ("sure", {"ctr": 6}, "1 to 5"),
]


@pytest.mark.parametrize(("key", "value", "told"), BAD, ids=[f"{k}-{i}" for i, (k, _, _) in enumerate(BAD)])
def test_bad_answers_are_told_with_the_remedy(key, value, told):
    assert told in fault(BY_KEY[key], value, SIZE, ("ctr", "older"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(EACH), JSON)
def test_whatever_is_sent_gets_an_answer_and_no_crash(question, value):
    assert isinstance(fault(question, value, SIZE, ("ctr",)), str)


def test_a_chain_of_conditions_closes_from_its_start():
    first = SameDifferent(key="a", text="A")
    second = Choice(key="b", text="B", options=("x", "y"), only_if=Condition("a", ("different",)))
    third = FreeText(key="c", text="C", only_if=Condition("b", ("y",)))
    chain = (first, second, third)
    assert [q.key for q in shown_questions(chain, {})] == ["a"]
    assert open_questions(chain, {"a": "different"}) == ["b"]
    assert [q.key for q in shown_questions(chain, {"a": "different", "b": "y"})] == ["a", "b", "c"]
    # The middle answer is still there, but its own question is closed again.
    assert [q.key for q in shown_questions(chain, {"a": "same", "b": "y"})] == ["a"]


def test_only_required_questions_that_are_shown_stay_open():
    likert = Likert(key="l", text="L", only_if=Condition("ctr", ("A", "both")))
    free = FreeText(key="f", text="F", required=False)
    number = Number(key="n", text="N")
    assert open_questions((likert, free, number), {}) == ["n"]
    assert open_questions((likert, free, number), {"ctr": "A", "n": 3}) == ["l"]
    assert open_questions((Mark(key="m", text="M"),), {"m": []}) == []
