import dataclasses
import json

import pytest

from cfcore.study.design.choices import Design
from cfcore.study.protocol import (
    DEFAULT_RATINGS,
    FINDING_LISTS,
    Arm,
    Protocol,
    canonical_json,
    digest,
    from_json,
    validate,
)
from cfcore.study.questions import (
    KINDS,
    Choice,
    Condition,
    Confidence,
    ForcedChoice,
    FreeText,
    Likert,
    Mark,
    Number,
    SameDifferent,
    Sides,
    VisualAnalogue,
    asked_at,
    from_data,
    public,
    to_data,
)
from tests.cfcore.study.question_kinds import EACH


def protocol(**changes):
    base = Protocol(
        title="Cardiomegaly",
        reader_title="Chest radiographs, series 1",
        findings=FINDING_LISTS["cardiomegaly"],
        ratings=DEFAULT_RATINGS,
        arms=(Arm("v17+", "v17 +"),),
    )
    return dataclasses.replace(base, **changes)


def test_every_kind_is_here_once_and_makes_a_valid_protocol():
    assert sorted(q.kind for q in EACH) == sorted(KINDS)
    assert validate(protocol(questions=EACH, design=Design(readers=2, order="Latin square"))) == []


@pytest.mark.parametrize("question", EACH, ids=lambda q: q.kind)
def test_data_and_back_is_the_same_question(question):
    data = json.loads(json.dumps(to_data(question)))
    assert from_data(data) == question
    assert to_data(from_data(data)) == to_data(question)


def test_a_protocol_without_questions_keeps_the_digest_it_had_before_there_were_any():
    plain = Protocol("t", "r", FINDING_LISTS["effusion"], DEFAULT_RATINGS, (Arm("v1+", "v1 +"),))
    assert digest(plain) == "dc3f22848168e5f58edd18038e52f592de302b2f493cedcbb554e25a03df30a0"
    asking = dataclasses.replace(plain, questions=EACH)
    assert digest(asking) != digest(plain)
    assert from_json(canonical_json(asking)) == asking
    assert canonical_json(from_json(canonical_json(asking))) == canonical_json(asking)


def test_the_browser_is_never_told_what_is_right():
    asked = [
        ForcedChoice(key="real", text="Which one is real?", right="original"),
        Choice(
            key="sort", text="Real?", options=("yes", "no"), right_for_original="yes", right_for_counterfactual="no"
        ),
    ]
    for question in asked:
        told = public(question)
        assert not [name for name in told if name.startswith("right")]
        assert "original" not in json.dumps(told) and "counterfactual" not in json.dumps(told)


def test_each_occasion_asks_what_fits_it():
    assert [q.key for q in asked_at(EACH, "series")] == ["device"]
    assert not {"lines", "real", "person"} & {q.key for q in asked_at(EACH, "single")}
    assert {"lines", "real", "person", "where", "sure"} <= {q.key for q in asked_at(EACH, "pair")}


WRONG = [
    (Likert(key="q", text="T", points=1), "2 to 11"),
    (Likert(key="q", text="T", low=" "), "both ends"),
    (VisualAnalogue(key="q", text="T", high=""), "both ends"),
    (ForcedChoice(key="q", text="T", right="left"), "original, counterfactual or none"),
    (Choice(key="q", text="T", options=("one",)), "2 to 9"),
    (Choice(key="q", text="T", options=("one", " One")), "twice"),
    (Choice(key="q", text="T", options=("one", "")), "empty option"),
    (Choice(key="q", text="T", options=("one", "two"), right_for_original="three"), "none of its options"),
    (Number(key="q", text="T", low=5, high=5), "smaller first"),
    (Number(key="q", text="T", decimals=9), "0 to 6"),
    (FreeText(key="q", text="T", longest=0), "1 to 4000"),
    (Mark(key="q", text="T", shape="star"), "point, box or polygon"),
    (Mark(key="q", text="T", most=99), "1 to 20"),
    (Confidence(key="q", text="T", required=True), "optional"),
    (Confidence(key="q", text="T", points=10), "2 to 9"),
    (Likert(key="Q q", text="T"), "unusable key"),
    (Likert(key="q", text="  "), "no text"),
    (Likert(key="q", text="x" * 301), "at most 300"),
    (Likert(key="q", text="Under v17 +, how real?"), "breaks the blinding"),
    (Likert(key="q", text="T", ask="never"), "case or series"),
    (Sides(key="q", text="T", ask="series"), "ask it per case"),
    (Likert(key="ctr", text="T"), "key of a finding"),
    (Likert(key="guess", text="T"), "at the end of a study"),
    (Likert(key="q", text="T", only_if=Condition("nobody", (1,))), "not asked before it"),
    (Likert(key="q", text="T", only_if=Condition("ctr", ())), "names no answer"),
    (Likert(key="q", text="T", only_if=Condition("ctr", ("maybe",))), "no answer of it"),
    (Likert(key="q", text="T", ask="series", only_if=Condition("ctr", ("A",))), "ask both alike"),
]


@pytest.mark.parametrize(("question", "told"), WRONG, ids=[f"{i}" for i in range(len(WRONG))])
def test_what_is_wrong_names_the_question_and_the_remedy(question, told):
    problems = validate(protocol(questions=(question,), design=Design(readers=2, order="Latin square")))
    assert len(problems) == 1 and told in problems[0] and f"“{question.key}”" in problems[0]


def test_two_questions_of_one_key_or_one_text_are_told():
    twice = (Likert(key="q", text="One"), Likert(key="q", text="Two"), SameDifferent(key="r", text="two"))
    problems = validate(protocol(questions=twice))
    assert any("share the key “q”" in p for p in problems) and any("ask “two”" in p for p in problems)


def test_a_condition_on_an_answer_that_cannot_be_listed_or_comes_later_is_refused():
    number = Number(key="n", text="How many?")
    after = FreeText(key="why", text="Why?", only_if=Condition("n", (3,)))
    assert "cannot be listed" in " ".join(validate(protocol(questions=(number, after))))
    first = Likert(key="a", text="First", only_if=Condition("b", (1,)))
    assert "not asked before it" in " ".join(validate(protocol(questions=(first, Likert(key="b", text="Second")))))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"kind": "essay", "key": "q", "text": "T"}, "essay"),
        ({"kind": "likert", "key": "q"}, "text"),
        ({"kind": "likert", "key": "q", "text": "T", "colour": 1}, "colour"),
        ({"kind": "likert", "key": "q", "text": "T", "only_if": {"question": "x"}}, "condition"),
    ],
)
def test_data_that_is_no_question_is_named(data, told):
    with pytest.raises(ValueError, match=told) as caught:
        from_data(data)
    assert "“q”" in str(caught.value)
