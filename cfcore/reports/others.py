"""Tables beside the checklist: controls, guesses of the generated side, and the study's further questions."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cfcore.study.blinding import blinding_table
from cfcore.study.decode_questions import decode_guesses, decode_marks, decode_questions
from cfcore.study.estimate import undefined
from cfcore.study.forced_choice import strengths_table
from cfcore.study.intervals import bootstrap_mean
from cfcore.study.protocol import Arm, Finding, Rating
from cfcore.study.question_tables import question_tables
from cfcore.study.questions import Question
from cfcore.study.readers import reader_checks, repeated_ratings
from cfcore.study.resampling import resample_patients
from cfcore.study.shaping import flat
from cfcore.study.single_images import single_table

CONTROL_KINDS = ("identical", "reconstruction", "filter", "patients")
# The table of findings in images that stood alone, among those of the questions.
SINGLE = "Findings in single images"
# Kinds whose answers are words; the others are stored as JSON.
WORDS = ("sides", "presence", "forced_choice", "same", "choice", "text", "comment")
TRIAL = ("reader", "arm", "patient", "pair", "purpose", "position", "original_side", "seconds")
ANSWER_COLUMNS = (
    "reader", "arm", "patient", "pair", "purpose", "position", "original_side", "question", "kind", "label", "answer",
    "value", "seconds",
)  # fmt: skip
_CONTROL_COLUMNS = ("pair_kind", "pairs", "readers", "answers", *flat("one_sided", undefined("")))


def answers_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Answers to further questions, one row each, with the columns `ANSWER_COLUMNS`; any other column is kept."""
    table = pd.DataFrame(list(rows))
    columns = [*ANSWER_COLUMNS, *(name for name in table.columns if name not in ANSWER_COLUMNS)]
    return table.reindex(columns=columns).astype({"position": "Int64", "value": "Float64", "seconds": "Float64"})


def checks_of_readers(decoded: pd.DataFrame) -> pd.DataFrame:
    """`reader_checks` with false alarms on identical images only: beside other controls there may be something to
    see."""
    other = (decoded["purpose"] == "control") & (decoded["pair_kind"] != "identical")
    return reader_checks(decoded[~other])


def ratings_on_repeats(rated: pd.DataFrame, ratings: Sequence[Rating]) -> pd.DataFrame:
    """`repeated_ratings`; no row where nothing was planned to be read twice."""
    table = repeated_ratings(rated, ratings)
    return table if (rated["purpose"] == "repeat").any() else table[:0]


def controls_table(decoded: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One row per kind of control: share of answers that name one side only, bootstrap over patients.

    Columns: pair_kind, pairs, readers, answers, `one_sided` with _low, _high, _note.
    """
    rows = []
    control = decoded[(decoded["purpose"] == "control") & (decoded["status"] == "assessed")]
    for kind in CONTROL_KINDS:
        own = control[control["pair_kind"] == kind]
        if own.empty:
            continue
        named = np.asarray(own["answer"].isin(["A", "B"]), dtype=np.float64)
        resample = resample_patients(list(own["patient"]), rng)
        rows.append(
            {"pair_kind": kind, "pairs": own["pair"].nunique(), "readers": own["reader"].nunique(), "answers": len(own)}
            | flat("one_sided", bootstrap_mean(named, np.ones(len(own)), resample))
        )
    return pd.DataFrame(rows, columns=list(_CONTROL_COLUMNS))


def trial_rows(decoded: pd.DataFrame, rated: pd.DataFrame, answers: pd.DataFrame) -> list[dict[str, Any]]:
    """The trials as `cfcore.study.decode_questions` takes them, put together again from the three tables."""
    trials: dict[tuple[str, int], dict[str, Any]] = {}
    for table, part, key, column in (
        (decoded, "answers", "finding", "answer"),
        (rated, "ratings", "rating", "value"),
        (answers, "given", "question", "answer"),
    ):
        for row in table.to_dict("records"):
            trial = trials.setdefault(
                (row["reader"], int(row["position"])),
                {str(name): row[name] for name in TRIAL if name in row} | {"answers": {}, "ratings": {}, "given": {}},
            )
            trial.setdefault("original_side", row.get("original_side"))
            value = row[column]
            if value is None or pd.isna(value) or row.get("kind") == "comment":
                continue
            trial[part][row[key]] = _given(value, row["kind"]) if part == "given" else value
    return list(trials.values())


def _given(text: str, kind: str) -> Any:
    return text if kind in WORDS else json.loads(text)


def guesses_table(rows: Sequence[Mapping[str, Any]], rng: np.random.Generator) -> pd.DataFrame:
    """Bang's blinding index per arm (`blinding_table`) from the guesses of the generated side."""
    return blinding_table(decode_guesses(rows), rng)


def questions_of(
    rows: Sequence[Mapping[str, Any]],
    questions: Sequence[Question],
    arms: Sequence[Arm],
    rng: np.random.Generator,
    findings: Sequence[Finding] = (),
) -> dict[str, pd.DataFrame]:
    """Question key -> what it found (`cfcore.study.question_tables`), and `SINGLE` where images stood alone."""
    alone = single_table(rows, findings, arms, rng)
    found = {} if alone.empty else {SINGLE: alone}
    if not questions:
        return found
    decoded, marks = decode_questions(rows, questions), decode_marks(rows, questions)
    return found | question_tables(decoded, marks, questions, arms, rng)


def strengths_of(
    rows: Sequence[Mapping[str, Any]], questions: Sequence[Question], arms: Sequence[Arm], rng: np.random.Generator
) -> pd.DataFrame:
    """Bradley and Terry's strengths of arms and originals in each forced choice (`strengths_table`)."""
    return strengths_table(decode_questions(rows, questions), questions, arms, rng)
