"""Simulated readers answer every kind of question as the reading room would accept it, and as well as they were set."""

import numpy as np
import pytest

from cfcore.study.question_answers import fault, open_questions
from cfcore.study.questions import (
    GUESS,
    KINDS,
    Choice,
    Condition,
    Confidence,
    ForcedChoice,
    FreeText,
    Likert,
    Mark,
    Number,
    Presence,
    SameDifferent,
    Sides,
    VisualAnalogue,
)
from cfcore.study.simulated import SimulatedReader
from cfcore.study.simulated_questions import answer_questions

EVERY = (
    Sides(key="sides", text="Where is it?"),
    Presence(key="presence", text="Is it there?"),
    Likert(key="likert", text="How real?", points=7),
    VisualAnalogue(key="vas", text="How real?"),
    ForcedChoice(key="forced", text="Which is real?", right="original"),
    SameDifferent(key="same", text="Same patient?"),
    Choice(key="choice", text="Which sort?", options=("real", "generated"), right_for_counterfactual="generated"),
    Number(key="number", text="Ratio", low=0.2, high=0.8, decimals=2),
    FreeText(key="text", text="Why?"),
    Mark(key="mark", text="Where?"),
    Confidence(key="sure", text="How sure?"),
)


def answers(reader, questions=EVERY, seed=0, given=None, side="A", **more):
    rng = np.random.default_rng(seed)
    return answer_questions(questions, reader, given or {"ctr": "A"}, side, 0.0, 0.3, rng, {"ctr": True}, **more)


def test_every_kind_gets_an_answer_that_is_accepted():
    assert {type(question) for question in EVERY} == set(KINDS.values())
    for seed in range(40):
        given = answers(SimulatedReader("anna"), seed=seed)
        for question in EVERY:
            assert fault(question, given[question.key], (10, 10), ["ctr"]) == "", question.key
        assert open_questions(EVERY, given) == []


@pytest.mark.parametrize("side", ["A", "B"])
def test_the_right_one_of_two_is_taken_as_often_as_set(side):
    reader = SimulatedReader("anna", choice=0.8)
    found = [answers(reader, seed=seed, side=side) for seed in range(1500)]
    assert np.mean([a["forced"] == side for a in found]) == pytest.approx(0.8, abs=0.035)
    assert np.mean([a["choice"] == "generated" for a in found]) == pytest.approx(0.8, abs=0.035)


def test_the_generated_side_is_guessed_as_often_as_set():
    found = [answers(SimulatedReader("anna", choice=0.7), [GUESS], seed)["guess"] for seed in range(1500)]
    assert np.mean([guess == "B" for guess in found]) == pytest.approx(0.7, abs=0.04)


def test_a_question_that_is_not_open_stays_unanswered():
    hidden = Likert(key="why", text="How much?", only_if=Condition("ctr", ("both",)))
    assert answers(SimulatedReader("anna"), [hidden]) == {}
    assert answers(SimulatedReader("anna"), [hidden], given={"ctr": "both"}).keys() == {"why"}


def test_confidence_is_higher_where_the_answer_is_right():
    rng, sure = np.random.default_rng(0), Confidence(key="sure", text="How sure?")
    given, right = {"a": "A", "b": "B", "c": "cannot"}, {"a": True, "b": False, "c": True}
    found = [
        answer_questions([sure], SimulatedReader("x"), given, "A", 0.0, 0.0, rng, right)["sure"] for _ in range(300)
    ]
    assert all(one.keys() == {"a", "b"} for one in found)
    assert np.mean([one["a"] for one in found]) > np.mean([one["b"] for one in found]) + 1
