"""What a reader may answer, held against the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cfcore.study.decode import ANSWERS
from cfcore.study.question_answers import fault, is_shown, open_questions
from cfcore.study.questions import PRESENCE, Occasion, Question, asked_at, public, questions_from
from cfcore.study.schedule import Trial as Turn
from db.models import Trial

STATES = ANSWERS
LONGEST_COMMENT = 10_000
PARTS = ("findings", "ratings", "questions", "comment")


class AnswersRefused(ValueError):
    """Answers that the protocol does not know; the message names the key."""


def asked_of(protocol: Mapping[str, Any], occasion: Occasion = "pair") -> dict[str, Any]:
    """What readers are asked on an occasion; without what only researchers know (main or secondary, right answers).

    {"occasion", "findings": [{"key", "label"}], "states", "ratings": [...], "questions": [...]}. Ratings are about
    pairs, so a single image has none; after a series, and to guess the side, there is nothing but questions.
    """
    findings = protocol["findings"] if occasion in ("pair", "single") else ()
    ratings = protocol["ratings"] if occasion == "pair" else ()
    return {
        "occasion": occasion,
        "states": list(_states(occasion)),
        "findings": [{"key": f["key"], "label": f["label"]} for f in findings],
        "ratings": [{name: r[name] for name in ("key", "question", "low", "high", "points")} for r in ratings],
        "questions": [public(question) for question in _questions(protocol, occasion)],
    }


def checked(
    answers: Any,
    protocol: Mapping[str, Any],
    occasion: Occasion = "pair",
    size: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """`answers` as {"findings": {key: state}, "ratings": {key: int}, "comment": str}, in the protocol's order, and
    "questions": {key: value} where any was answered (forms: `cfcore.study.question_answers`).

    Unanswered questions are left out. States are STATES for a pair and PRESENCE for a single image, ratings whole
    numbers from 1 to the question's points. size: (width, height) of the images. Raises AnswersRefused for anything
    else: an unknown key, another kind of value, one out of range, or a question that the other answers do not open.
    """
    if not isinstance(answers, Mapping):
        raise AnswersRefused("The answers must be an object with findings, ratings, questions and comment.")
    if unknown := sorted(str(name) for name in set(answers) - set(PARTS)):
        raise AnswersRefused(f"The answers hold “{unknown[0]}”, which is not part of a reading.")
    findings, ratings, given = (answers.get(name, {}) for name in PARTS[:3])
    comment = answers.get("comment", "")
    if not all(isinstance(part, Mapping) for part in (findings, ratings, given)) or not isinstance(comment, str):
        raise AnswersRefused("Findings, ratings and questions must be objects and the comment a text.")
    if len(comment) > LONGEST_COMMENT:
        raise AnswersRefused(f"The comment is longer than {LONGEST_COMMENT} characters: shorten it.")
    asked = asked_of(protocol, occasion)
    clean: dict[str, Any] = {
        "findings": _findings(findings, asked),
        "ratings": _ratings(ratings, asked),
        "comment": comment,
    }
    questions = _questions(protocol, occasion)
    told = _given(
        questions, given, {**clean["findings"], **clean["ratings"]}, [f["key"] for f in asked["findings"]], size
    )
    # Left out where there is none: a reading of a study without questions keeps the form it always had.
    whole = clean | ({"questions": told} if told else {})
    _encodable(whole)
    return whole


def is_complete(answers: Mapping[str, Any], protocol: Mapping[str, Any], occasion: Occasion = "pair") -> bool:
    """Whether every finding, every rating and every required question that is shown has an answer ("cannot" is one)."""
    asked = asked_of(protocol, occasion)
    given = {**answers["findings"], **answers["ratings"], **answers.get("questions", {})}
    if any(item["key"] not in given for item in (*asked["findings"], *asked["ratings"])):
        return False
    return not open_questions(_questions(protocol, occasion), given)


def occasion_of(trial: Trial | Turn) -> Occasion:
    """What stands before the reader in this trial."""
    return trial.purpose if trial.purpose in ("series", "guess", "single") else "pair"  # type: ignore[return-value]


def sides_of(trial: Trial | Turn) -> tuple[str, ...]:
    """The sides that are shown: both, side A alone for a single image, none after a series."""
    return {"series": (), "single": ("A",)}.get(trial.purpose, ("A", "B"))


def _states(occasion: Occasion) -> tuple[str, ...]:
    return PRESENCE if occasion == "single" else STATES


def _questions(protocol: Mapping[str, Any], occasion: Occasion) -> tuple[Question, ...]:
    return asked_at(questions_from(protocol.get("questions", ())), occasion)


def _findings(given: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, str]:
    keys = [finding["key"] for finding in asked["findings"]]
    for key, state in given.items():
        if key not in keys:
            raise AnswersRefused(f"“{key}” is not a finding of this reading.")
        if state not in asked["states"]:
            raise AnswersRefused(f"“{state}” is no answer for “{key}”: use {', '.join(asked['states'])}.")
    return {key: given[key] for key in keys if key in given}


def _ratings(given: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, int]:
    points = {rating["key"]: rating["points"] for rating in asked["ratings"]}
    for key, value in given.items():
        if key not in points:
            raise AnswersRefused(f"“{key}” is not a question of this reading.")
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= points[key]:
            raise AnswersRefused(f"“{value}” is no answer for “{key}”: use 1 to {points[key]}.")
    return {key: given[key] for key in points if key in given}


def _given(
    questions: tuple[Question, ...],
    given: Mapping[str, Any],
    before: Mapping[str, Any],
    findings: list[str],
    size: tuple[int, int] | None,
) -> dict[str, Any]:
    asked = {question.key: question for question in questions}
    if unknown := sorted(str(key) for key in set(given) - set(asked)):
        raise AnswersRefused(f"“{unknown[0]}” is not a question of this reading.")
    whole = {**before, **given}
    for key, value in given.items():
        question = asked[key]
        if wrong := fault(question, value, size, findings):
            raise AnswersRefused(wrong)
        if not is_shown(question, whole, asked):
            on = question.only_if.question if question.only_if else ""
            raise AnswersRefused(f"“{key}” is not asked with this answer to “{on}”: leave it out.")
    return {key: given[key] for key in asked if key in given}


def _encodable(answers: Mapping[str, Any]) -> None:
    texts = [answers["comment"], *(v for v in answers.get("questions", {}).values() if isinstance(v, str))]
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise AnswersRefused("A text holds half a character (a lone surrogate): write it again.") from error
