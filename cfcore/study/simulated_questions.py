"""What simulated readers answer to questions beside the checklist: every kind gets an answer that its check accepts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cfcore.study.question_answers import is_shown
from cfcore.study.questions import (
    GUESS,
    Choice,
    Confidence,
    ForcedChoice,
    FreeText,
    Likert,
    Mark,
    Number,
    Presence,
    Question,
    SameDifferent,
    Sides,
    VisualAnalogue,
)
from cfcore.study.simulated import SimulatedReader


def answer_questions(
    questions: Sequence[Question],
    reader: SimulatedReader,
    given: Mapping[str, Any],
    original_side: str,
    progress: float,
    taste: float,
    rng: np.random.Generator,
    right: Mapping[str, bool] | None = None,
    differs: bool = True,
) -> dict[str, Any]:
    """Answers by key to every question that the earlier answers open.

    given: findings and ratings of the same case. original_side: "A" or "B", "" where one image stands alone; then
    `differs` says whether it is the counterfactual. taste: standard normal, what all readers think of this pair alike
    (scales). right: finding -> whether the checklist answer is right (confidence is a step higher where it is).
    differs: whether A and B differ in anything. A question with a right answer is answered rightly with chance
    `reader.choice`, the others without preference.
    """
    asked = {question.key: question for question in questions}
    answers: dict[str, Any] = {}
    for question in questions:
        if not is_shown(question, {**given, **answers}, asked):
            continue
        value = _one(question, reader, given, original_side, progress, taste, rng, right or {}, differs)
        if value is not None:
            answers[question.key] = value
    return answers


def _one(
    question: Question,
    reader: SimulatedReader,
    given: Mapping[str, Any],
    original_side: str,
    progress: float,
    taste: float,
    rng: np.random.Generator,
    right: Mapping[str, bool],
    differs: bool,
) -> Any:
    knows = bool(rng.random() < reader.tired(reader.choice, progress))
    latent = reader.agreement * taste + np.sqrt(1 - reader.agreement**2) * rng.normal()
    level = float(np.clip(0.5 + 0.25 * latent, 0, 1))
    if isinstance(question, Likert):
        return 1 + round(level * (question.points - 1))
    if isinstance(question, VisualAnalogue):
        return round(100 * level)
    if isinstance(question, Number):
        return round(question.low + level * (question.high - question.low), question.decimals)
    if isinstance(question, ForcedChoice):
        other = "B" if original_side == "A" else "A"
        if question.right is None:
            return ("A", "B")[int(rng.integers(2))]
        good, bad = (original_side, other) if question.right == "original" else (other, original_side)
        return good if knows else bad
    if isinstance(question, SameDifferent):
        return "different" if differs == (rng.random() < reader.tired(reader.sensitivity, progress)) else "same"
    if question == GUESS:
        other = "B" if original_side == "A" else "A"
        return other if knows else original_side
    if isinstance(question, Choice):
        best = question.right_for_counterfactual if differs else question.right_for_original
        if not best:
            return question.options[int(rng.integers(len(question.options)))]
        rest = [option for option in question.options if option != best]
        return best if knows else rest[int(rng.integers(len(rest)))]
    if isinstance(question, FreeText):
        return "simulated" if question.required else None
    if isinstance(question, Mark):
        return []
    if isinstance(question, Confidence):
        return _confidence(question, given, right, rng) or None
    if isinstance(question, Sides | Presence):
        values = question.values()[:-1]
        return values[int(rng.integers(len(values)))]
    raise ValueError(f"A simulated reader does not know questions of kind “{question.kind}”.")


def _confidence(
    question: Confidence, given: Mapping[str, Any], right: Mapping[str, bool], rng: np.random.Generator
) -> dict[str, int]:
    middle = (question.points + 1) / 2
    return {
        finding: int(
            np.clip(round(middle + (1 if is_right else -1) * question.points / 5 + rng.normal()), 1, question.points)
        )
        for finding, is_right in right.items()
        if given.get(finding) not in (None, "cannot")
    }
