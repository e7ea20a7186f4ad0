"""What a reader may answer, held against the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STATES = ("A", "B", "both", "neither", "cannot")
LONGEST_COMMENT = 4000


class AnswersRefused(ValueError):
    """Answers that the protocol does not know; the message names the key."""


def checked(answers: Any, protocol: Mapping[str, Any]) -> dict[str, Any]:
    """`answers` as {"findings": {key: state}, "ratings": {key: int}, "comment": str}, in the protocol's order.

    Unanswered questions are left out. States are STATES, ratings whole numbers from 1 to the question's points.
    Raises AnswersRefused for anything else.
    """
    if not isinstance(answers, Mapping):
        raise AnswersRefused("The answers must be an object with findings, ratings and comment.")
    if unknown := sorted(set(answers) - {"findings", "ratings", "comment"}):
        raise AnswersRefused(f"The answers hold “{unknown[0]}”, which is not part of a reading.")
    findings, ratings = answers.get("findings", {}), answers.get("ratings", {})
    comment = answers.get("comment", "")
    if not isinstance(findings, Mapping) or not isinstance(ratings, Mapping) or not isinstance(comment, str):
        raise AnswersRefused("Findings and ratings must be objects and the comment a text.")
    if len(comment) > LONGEST_COMMENT:
        raise AnswersRefused(f"The comment is longer than {LONGEST_COMMENT} characters: shorten it.")
    asked = {f["key"] for f in protocol["findings"]}
    points = {r["key"]: r["points"] for r in protocol["ratings"]}
    for key, state in findings.items():
        if key not in asked:
            raise AnswersRefused(f"“{key}” is not a finding of this reading.")
        if state not in STATES:
            raise AnswersRefused(f"“{state}” is no answer for “{key}”: use {', '.join(STATES)}.")
    for key, value in ratings.items():
        if key not in points:
            raise AnswersRefused(f"“{key}” is not a question of this reading.")
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= points[key]:
            raise AnswersRefused(f"“{value}” is no answer for “{key}”: use 1 to {points[key]}.")
    return {
        "findings": {f["key"]: findings[f["key"]] for f in protocol["findings"] if f["key"] in findings},
        "ratings": {r["key"]: ratings[r["key"]] for r in protocol["ratings"] if r["key"] in ratings},
        "comment": comment,
    }


def is_complete(answers: Mapping[str, Any], protocol: Mapping[str, Any]) -> bool:
    """Whether every finding and every rating has an answer ("cannot" is one)."""
    return all(f["key"] in answers["findings"] for f in protocol["findings"]) and all(
        r["key"] in answers["ratings"] for r in protocol["ratings"]
    )
