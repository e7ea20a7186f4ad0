"""Whether an answer fits its question, which questions an earlier answer opens, and what is still open."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cfcore.study.questions import (
    MOST_CORNERS,
    Confidence,
    FreeText,
    Mark,
    Number,
    Question,
    VisualAnalogue,
)

# Corners of a mark by its shape: fewest and most.
CORNERS = {"point": (1, 1), "box": (2, 2), "polygon": (3, MOST_CORNERS)}


def fault(question: Question, value: Any, size: tuple[int, int] | None = None, findings: Iterable[str] = ()) -> str:
    """Why `value` is no answer to the question, a sentence with the remedy; empty where it is one.

    size: (width, height) of the images in pixels, which marks must not leave. findings: keys of the checklist,
    for `Confidence`.
    """
    name = f"for “{question.key}”"
    if isinstance(question, VisualAnalogue):
        return "" if _whole(value) and 0 <= value <= 100 else f"“{_short(value)}” is no answer {name}: use 0 to 100."
    if isinstance(question, Number):
        return _number_fault(question, value)
    if isinstance(question, FreeText):
        if not isinstance(value, str) or not value.strip():
            return f"The answer {name} must be a text: write it, or leave it out."
        if len(value) > question.longest:
            return f"The text {name} is longer than {question.longest} characters: shorten it."
        return ""
    if isinstance(question, Mark):
        return _marks_fault(question, value, size)
    if isinstance(question, Confidence):
        return _confidence_fault(question, value, set(findings))
    allowed = question.values()
    if any(value == v and type(value) is type(v) for v in allowed):
        return ""
    return f"“{_short(value)}” is no answer {name}: use {', '.join(str(v) for v in allowed)}."


def is_shown(question: Question, given: Mapping[str, Any], asked: Mapping[str, Question] | None = None) -> bool:
    """Whether earlier answers open the question. given: findings, ratings and questions by key in one mapping.

    asked: the questions of this occasion by key; a condition on a question that is itself hidden is unmet.
    """
    if question.only_if is None:
        return True
    before = (asked or {}).get(question.only_if.question)
    if before is not None and not is_shown(before, given, asked):
        return False
    value = given.get(question.only_if.question)
    return any(value == v and type(value) is type(v) for v in question.only_if.values)


def shown_questions(questions: Sequence[Question], given: Mapping[str, Any]) -> list[Question]:
    """Those of the questions of one occasion that these answers open, in their order."""
    asked = {question.key: question for question in questions}
    return [question for question in questions if is_shown(question, given, asked)]


def open_questions(questions: Sequence[Question], given: Mapping[str, Any]) -> list[str]:
    """Keys of the required questions that are shown and not answered."""
    return [q.key for q in shown_questions(questions, given) if q.required and q.key not in given]


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _number_fault(question: Number, value: Any) -> str:
    unit = f" {question.unit}" if question.unit else ""
    span = f"{question.low:g} to {question.high:g}{unit}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return f"“{_short(value)}” is no number for “{question.key}”: use {span}."
    if not question.low <= value <= question.high:
        return f"{value:g}{unit} for “{question.key}” is out of range: use {span}."
    if abs(value - round(value, question.decimals)) > 1e-9:
        return f"{value} for “{question.key}” is too fine: use at most {question.decimals} decimals."
    return ""


def _confidence_fault(question: Confidence, value: Any, findings: set[str]) -> str:
    if not isinstance(value, Mapping) or not value:
        return f"The answer for “{question.key}” must give a confidence for each finding that has one."
    if unknown := sorted(str(key) for key in value if key not in findings):
        return f"“{unknown[0]}” is not a finding of this reading, so “{question.key}” cannot be given for it."
    for finding, points in value.items():
        if not _whole(points) or not 1 <= points <= question.points:
            return f"“{_short(points)}” is no confidence for “{finding}”: use 1 to {question.points}."
    return ""


def _marks_fault(question: Mark, value: Any, size: tuple[int, int] | None) -> str:
    name = f"for “{question.key}”"
    if not isinstance(value, Sequence) or isinstance(value, str):
        return f"The answer {name} must be a list of marks, empty where there is nothing to mark."
    if len(value) > question.most:
        return f"{len(value)} marks {name}: at most {question.most} are asked for, remove some."
    fewest, most = CORNERS[question.shape]
    for mark in value:
        if not isinstance(mark, Mapping) or set(mark) != {"side", "points"} or mark["side"] not in ("A", "B"):
            return f"A mark {name} must hold its side (A or B) and its points."
        points = mark["points"]
        if not isinstance(points, Sequence) or isinstance(points, str) or not fewest <= len(points) <= most:
            number = str(fewest) if fewest == most else f"{fewest} to {most}"
            return f"A {question.shape} {name} has {number} point{'' if most == 1 else 's'}: draw it again."
        for point in points:
            if not _is_point(point):
                return f"A point {name} must be two numbers, x and y in image pixels."
            if size is not None and not (0 <= point[0] <= size[0] and 0 <= point[1] <= size[1]):
                return f"A mark {name} leaves the image of {size[0]} × {size[1]} pixels: draw it inside."
    return ""


def _is_point(point: Any) -> bool:
    return (
        isinstance(point, Sequence)
        and not isinstance(point, str)
        and len(point) == 2
        and all(isinstance(c, int | float) and not isinstance(c, bool) and math.isfinite(c) for c in point)
    )
