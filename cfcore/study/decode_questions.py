"""From answers about sides A and B to what they say about original and counterfactual, for every kind of question."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cfcore.study.decode import decode
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
    Occasion,
    Question,
    Sides,
    VisualAnalogue,
    asked_at,
)

TRIAL = ("reader", "arm", "patient", "pair", "purpose", "position", "original_side")
COLUMNS = (
    *TRIAL, "occasion", "question", "kind", "finding", "status", "answer", "value", "chosen", "right", "in_original",
    "in_counterfactual", "seconds",
)  # fmt: skip
MARK_COLUMNS = (*TRIAL, "question", "shape", "mark", "side", "image", "points", "x", "y", "width", "height", "area")
# Beside what is asked about a pair: a training case is no answer, and a guess has a table of its own.
_OCCASIONS: Mapping[str, Occasion] = {"series": "series", "guess": "guess", "single": "single"}


def occasion_of(row: Mapping[str, Any]) -> Occasion:
    """What stood before the reader: the row's "occasion", else what its purpose says, else a pair."""
    return row.get("occasion") or _OCCASIONS.get(str(row.get("purpose")), "pair")


def decode_questions(rows: Iterable[Mapping[str, Any]], questions: Sequence[Question]) -> pd.DataFrame:
    """One row per reader, trial and question that was asked there (`COLUMNS`); `Confidence` has one per finding.

    rows: as `cfcore.study.decode.decode_readings` takes them, with `given` (question key -> answer) beside
    `answers` and `ratings`; "series" among the purposes is the trial after an arm's last case, "single" an image that
    stood alone on side A. status: "answered",
    "missing", "cannot" (assess), or "not asked" where an earlier answer closed the question. value: number of a
    scale, line or number field. chosen: what the answer means ("original" or "counterfactual" for a side, else the
    option). right: whether it is the right one, NA where none is. answer: as given; marks are in `decode_marks`.
    """
    table = []
    for row in rows:
        if row.get("purpose") == "training":
            continue
        asked = asked_at(questions, occasion_of(row))
        before = {**(row.get("answers") or {}), **(row.get("ratings") or {}), **(row.get("given") or {})}
        by_key = {question.key: question for question in asked}
        for question in asked:
            shown = is_shown(question, before, by_key)
            table += _rows(row, question, before.get(question.key), shown)
    frame = pd.DataFrame(table, columns=list(COLUMNS))
    kinds = {"right": "boolean", "in_original": "boolean", "in_counterfactual": "boolean"}
    return frame.astype({**kinds, "value": "Float64", "position": "Int64", "seconds": "Float64"})


def decode_guesses(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The readers' guesses at the generated side, as `cfcore.study.blinding.blinding_table` takes them.

    Columns: reader, arm, patient, guess ("right", "wrong", "unsure", NA where none was given).
    """
    table = []
    for row in rows:
        if occasion_of(row) != "guess":
            continue
        side = (row.get("given") or {}).get(GUESS.key)
        guess = side if side in (None, "unsure") else "wrong" if side == row["original_side"] else "right"
        table.append({name: row[name] for name in ("reader", "arm", "patient")} | {"guess": guess})
    return pd.DataFrame(table, columns=["reader", "arm", "patient", "guess"]).astype({"guess": "string"})


def decode_marks(rows: Iterable[Mapping[str, Any]], questions: Sequence[Question]) -> pd.DataFrame:
    """One row per mark (`MARK_COLUMNS`): the side it was drawn on and the image that stood there.

    points: ((x, y), ...) in pixels from the image's upper left corner, x to the right. x, y: their centre (of area
    for a polygon); width, height: of the box around them; area in square pixels (a polygon's by Gauss's formula).
    """
    asked = [question for question in questions if isinstance(question, Mark)]
    table = []
    for row in rows:
        if row.get("purpose") == "training":
            continue
        for question in asked:
            for number, mark in enumerate((row.get("given") or {}).get(question.key) or [], 1):
                table.append(
                    _trial(row)
                    | {"question": question.key, "shape": question.shape, "mark": number, "side": mark["side"]}
                    | {"image": _image(mark["side"], row)}
                    | _geometry(mark["points"], question.shape)
                )
    return pd.DataFrame(table, columns=list(MARK_COLUMNS)).astype({"position": "Int64"})


def _trial(row: Mapping[str, Any]) -> dict[str, Any]:
    purpose = row.get("purpose") or "reading"
    plain = {name: row.get(name) for name in TRIAL}
    # "counted" is the schedule's word for a first reading; single images and the trial after a series are one too.
    return plain | {"purpose": "reading" if purpose in ("counted", "series", "single") else purpose}


def _image(side: str, row: Mapping[str, Any]) -> str:
    return "original" if side == row["original_side"] else "counterfactual"


def _rows(row: Mapping[str, Any], question: Question, answer: Any, shown: bool) -> list[dict[str, Any]]:
    head = _trial(row) | {
        "occasion": occasion_of(row), "question": question.key, "kind": question.kind, "seconds": row.get("seconds")
    }  # fmt: skip
    if isinstance(question, Confidence):
        # Of findings without an answer nobody is sure: they make no row.
        return [head | _one(row, question, points) | {"finding": key} for key, points in (answer or {}).items()]
    if not shown:
        return [head | {"status": "not asked"}]
    return [head | _one(row, question, answer)]


def _one(row: Mapping[str, Any], question: Question, answer: Any) -> dict[str, Any]:
    if answer is None:
        return {"status": "missing"}
    found: dict[str, Any] = {"status": "cannot" if answer == "cannot" else "answered", "answer": answer}
    if isinstance(question, Likert | VisualAnalogue | Number | Confidence):
        return found | {"value": float(answer)}
    if isinstance(question, Mark):
        return found | {"value": float(len(answer)), "answer": None}
    if isinstance(question, FreeText):
        return found
    if isinstance(question, Sides):
        seen = decode(answer, str(row["original_side"]))
        return found | {"in_original": seen.in_original, "in_counterfactual": seen.in_counterfactual}
    if isinstance(question, ForcedChoice) or question.key == GUESS.key:
        image = None if answer not in ("A", "B") else _image(answer, row)
        wanted = question.right if isinstance(question, ForcedChoice) else "counterfactual"
        return found | {"chosen": image or answer, "right": None if not (wanted and image) else image == wanted}
    right = _right_option(question, row)
    return found | {"chosen": answer, "right": None if not right else answer == right}


def _right_option(question: Question, row: Mapping[str, Any]) -> str:
    """The right option for the image that stands alone in a single-image trial; "" where there is none."""
    if not isinstance(question, Choice) or occasion_of(row) != "single":
        return ""
    return question.right_for_original if _image("A", row) == "original" else question.right_for_counterfactual


def _geometry(points: Sequence[Sequence[float]], shape: str) -> dict[str, Any]:
    corners = np.asarray(points, dtype=float)
    low, high = corners.min(axis=0), corners.max(axis=0)
    width, height = high - low
    centre, area = corners.mean(axis=0), 0.0
    if shape == "box":
        area = float(width * height)
    elif shape == "polygon":
        following = np.roll(corners, -1, axis=0)
        cross = corners[:, 0] * following[:, 1] - following[:, 0] * corners[:, 1]
        area = float(abs(cross.sum()) / 2)
        if area > 0:
            centre = ((corners + following) * cross[:, None]).sum(axis=0) / (3 * cross.sum())
    plain = tuple((float(x), float(y)) for x, y in corners)
    place = {"x": float(centre[0]), "y": float(centre[1]), "width": float(width), "height": float(height)}
    return {"points": plain, **place, "area": area}
