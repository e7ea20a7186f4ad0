"""From what a reader answered about sides A and B to what was seen in the original and in the counterfactual.

Sides are random, so agreement on A and B means nothing: every statistic starts from the tables made here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

Answer = Literal["A", "B", "both", "neither", "cannot"]
ANSWERS: tuple[Answer, ...] = ("A", "B", "both", "neither", "cannot")
# Repeats and controls measure the reader and never enter prevalence or agreement between readers.
PURPOSES = ("reading", "repeat", "control")
# Trials that are no reading of the checklist: they make no row here.
APART = ("training", "guess", "series", "single")

READING_COLUMNS = (
    "reader", "arm", "patient", "pair", "purpose", "position", "original_side", "finding", "answer", "status",
    "in_original", "in_counterfactual", "appears", "disappears", "seconds",
)  # fmt: skip
RATING_COLUMNS = ("reader", "arm", "patient", "pair", "purpose", "position", "rating", "value", "seconds")


@dataclass(frozen=True)
class Decoded:
    """Where a finding was seen. All four are None for a missing or "cannot assess" answer."""

    in_original: bool | None
    in_counterfactual: bool | None
    appears: bool | None
    disappears: bool | None


def decode(answer: str | None, original_side: str) -> Decoded:
    """Decode one checklist answer given the side ("A" or "B") on which the original stood.

    answer: "A" (seen in A only), "B", "both", "neither", "cannot" (assess), or None where none was given.
    Raises ValueError for anything else.
    """
    if original_side not in ("A", "B"):
        raise ValueError(f"The original's side is “{original_side}”: expected A or B.")
    if answer is None or answer == "cannot":
        return Decoded(None, None, None, None)
    if answer not in ANSWERS:
        raise ValueError(f"“{answer}” is no checklist answer: expected one of {', '.join(ANSWERS)} or none.")
    original = answer in ("both", original_side)
    counterfactual = answer == "both" or (answer in ("A", "B") and answer != original_side)
    return Decoded(original, counterfactual, counterfactual and not original, original and not counterfactual)


def _purpose(row: Mapping[str, Any]) -> str:
    """The purpose of a row; "counted" is the schedule's word for a reading."""
    purpose = row.get("purpose") or "reading"
    return "reading" if purpose == "counted" else str(purpose)


def _trial(row: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("reader", "arm", "patient", "pair"):
        if name not in row:
            raise ValueError(f"A reading lacks “{name}”: give reader, arm, patient, pair, original_side, answers.")
    purpose = _purpose(row)
    if purpose not in PURPOSES:
        raise ValueError(f"A reading's purpose is “{purpose}”: expected one of {', '.join((*PURPOSES, *APART))}.")
    trial = {name: row[name] for name in ("reader", "arm", "patient", "pair")}
    return trial | {"purpose": purpose, "position": row.get("position"), "seconds": row.get("seconds")}


def decode_readings(rows: Iterable[Mapping[str, Any]], findings: Sequence[str] | None = None) -> pd.DataFrame:
    """Decode trials into a tidy table, one row per reader, pair and finding (`READING_COLUMNS`).

    rows: one mapping per planned trial: reader, arm, patient, pair, original_side, `answers` (finding key ->
    answer; empty or None for an unread trial), and, where known, position, seconds, purpose ("reading" or "counted",
    "repeat", "control"; rows of purpose "training", "guess", "series" and "single" are left out). findings: keys of the
    checklist; a finding without an answer becomes a row of status "missing". Default: every key that occurs in any
    trial. Booleans are pandas "boolean" (NA where not assessed), status is "assessed", "cannot" or "missing", seconds
    the trial's time. Raises ValueError naming what is wrong with a row.
    """
    trials = [row for row in rows if _purpose(row) not in APART]
    keys = list(findings) if findings is not None else []
    if findings is None:
        keys = list(dict.fromkeys(key for row in trials for key in (row.get("answers") or {})))
    table = []
    for row in trials:
        trial = _trial(row)
        side = row.get("original_side")
        answers = row.get("answers") or {}
        if unknown := set(answers) - set(keys):
            raise ValueError(f"Answers to unlisted findings {sorted(unknown)}: the checklist has {keys}.")
        for key in keys:
            answer = answers.get(key)
            seen = decode(answer, str(side))
            status = "missing" if answer is None else "cannot" if answer == "cannot" else "assessed"
            table.append(
                trial
                | {"original_side": side, "finding": key, "answer": answer, "status": status}
                | {name: getattr(seen, name) for name in Decoded.__dataclass_fields__}
            )
    frame = pd.DataFrame(table, columns=list(READING_COLUMNS))
    booleans = dict.fromkeys(Decoded.__dataclass_fields__, "boolean")
    return frame.astype({**booleans, "position": "Int64", "seconds": "Float64"})


def decode_ratings(rows: Iterable[Mapping[str, Any]], ratings: Sequence[str] | None = None) -> pd.DataFrame:
    """The ratings of the same trials (`ratings`: key -> 1..points or None), one row per reader, pair and
    rating.

    A rating is asked of the pair as a whole, so it needs no decoding of sides. Columns: `RATING_COLUMNS`;
    value is NA where none was given.
    """
    trials = [row for row in rows if _purpose(row) not in APART]
    keys = list(ratings) if ratings is not None else []
    if ratings is None:
        keys = list(dict.fromkeys(key for row in trials for key in (row.get("ratings") or {})))
    table = [
        _trial(row) | {"rating": key, "value": (row.get("ratings") or {}).get(key)} for row in trials for key in keys
    ]
    frame = pd.DataFrame(table, columns=list(RATING_COLUMNS))
    return frame.astype({"value": "Int64", "position": "Int64", "seconds": "Float64"})
