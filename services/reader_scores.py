"""Readers scored against the reference answers, and on telling real images from generated ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import sqlalchemy as sa

from cfcore.study.estimate import Estimate
from cfcore.study.questions import Choice, ForcedChoice, Question, questions_from
from cfcore.study.reference import accuracy_table, d_prime, d_prime_forced_choice
from db.models import Pair, Reading, Study, StudyReader, Trial
from services.permissions import require
from services.reference_answers import reference_of
from services.results import reading_rows
from services.study_views import StudyRefused, study_view
from services.workspace import Workspace

Shown = Literal["pair", "single"]
# The stream of the intervals, after the study's seed.
SEED = 0xACC


def accuracy(
    workspace: Workspace, study_id: int, viewer: int | str, by: Sequence[str] = ("reader",), shown: Shown = "pair"
) -> pd.DataFrame:
    """Readers against the reference on original images, see `cfcore.study.reference.accuracy_table`.

    by: "reader", "finding", "arm", or several. `score` is the confidence, negative where the finding was not seen,
    where the study asked for it. Raises ResultsSealed or StudyRefused while the study is read.
    """
    table = scored_readings(workspace, study_id, viewer, shown)
    return accuracy_table(table, np.random.default_rng([study_view(workspace, study_id).seed, SEED]), by=by)


def scored_readings(workspace: Workspace, study_id: int, viewer: int | str, shown: Shown = "pair") -> pd.DataFrame:
    """One row a first reading and finding of an original: reader, patient, pair, arm, finding, called, truth, score.

    shown: originals beside their counterfactual, or those that stood alone. Beside it a reader compares.
    """
    with workspace.session() as session:
        require(session, viewer, study_id, "results")
        known = reference_of(session, study_id)
        study = session.get(Study, study_id)
        if study is None or study.state != "closed":
            raise StudyRefused("Readers are scored when the reading has ended: close the study first.")
        if study.protocol.get("reference", "original") != "original":
            raise StudyRefused("This study shows reconstructions, which have no reference answer: nothing is scored.")
        confidences = [q["key"] for q in study.protocol.get("questions", ()) if q.get("kind") == "confidence"]
    view = study_view(workspace, study_id)
    image_of = {pair.id: pair.image_id for pair in view.pairs}
    purpose = "counted" if shown == "pair" else "single"
    sure = _confidence(workspace, study_id, confidences[0], purpose) if confidences else {}
    rows = []
    for row in reading_rows(workspace, view):
        if (
            row["purpose"] != ("reading" if shown == "pair" else "single")
            or not row["read"]
            or row["pair_kind"] != "counterfactual"
        ):
            continue
        if shown == "single" and row["original_side"] != "A":
            continue  # the counterfactual stood there
        seen = ("both", row["original_side"]) if shown == "pair" else ("present",)
        for key, answer in row["answers"].items():
            called = None if answer == "cannot" else answer in seen
            points = sure.get((row["reader"], row["pair_id"]), {}).get(key)
            rows.append(
                {
                    "reader": row["reader"], "patient": row["patient"], "pair": row["pair"], "arm": row["arm"],
                    "finding": key, "called": called, "truth": known.get((image_of[row["pair_id"]], key)),
                    "score": None if called is None or points is None else points if called else -points,
                }
            )  # fmt: skip
    columns = ["reader", "patient", "pair", "arm", "finding", "called", "truth", "score"]
    table = pd.DataFrame(rows, columns=columns).astype({"called": "boolean", "truth": "boolean", "score": "Float64"})
    return table if table["score"].notna().any() else table.drop(columns="score")


def _confidence(workspace: Workspace, study_id: int, key: str, purpose: str) -> dict[tuple[str, int], dict[str, int]]:
    """(reader, pair) -> finding -> points, from the newest complete first readings."""
    query = (
        sa.select(StudyReader.label, Trial.pair_id, Reading.answers)
        .join(Trial, Trial.id == Reading.trial_id)
        .join(StudyReader, StudyReader.id == Trial.study_reader_id)
        .where(StudyReader.study_id == study_id, Reading.complete, Trial.purpose == purpose)
        .order_by(Reading.sequence)
    )
    with workspace.session() as session:
        return {
            (reader, pair): (answers.get("questions") or {}).get(key) or {}
            for reader, pair, answers in session.execute(query).tuples()
        }


def real_or_generated(workspace: Workspace, study_id: int, viewer: int | str) -> pd.DataFrame:
    """How well readers tell the real image from the generated one: d' with its interval.

    In pairs by a forced choice with a right side (`ForcedChoice.right`); in single images by a choice with different
    right options for originals and counterfactuals (`Choice`), where a hit is a counterfactual called so. One row per
    reader and question, then one for all readers together: reader, question, n, correct, d_prime, low, high, note.
    Raises StudyRefused while the study is read.
    """
    with workspace.session() as session:
        require(session, viewer, study_id, "results")
        study = session.get(Study, study_id)
        if study is None or study.state != "closed":
            raise StudyRefused("Readers are scored when the reading has ended: close the study first.")
        asked = [question for question in questions_from(study.protocol.get("questions", ())) if _is_scored(question)]
        query = (
            sa.select(StudyReader.label, Trial.id, Trial.purpose, Trial.original_side, Reading.answers)
            .join(Trial, Trial.id == Reading.trial_id)
            .join(StudyReader, StudyReader.id == Trial.study_reader_id)
            .join(Pair, Pair.id == Trial.pair_id)
            .where(
                StudyReader.study_id == study_id,
                Reading.complete,
                Trial.purpose.in_(("counted", "single")),
                Pair.kind == "counterfactual",
            )
            .order_by(StudyReader.id, Reading.sequence)
        )
        rows_of = session.execute(query).tuples()
        newest = {trial: (label, purpose, side, answers) for label, trial, purpose, side, answers in rows_of}
    tallies: dict[tuple[str, str], _Tally] = {}
    for label, purpose, side, answers in newest.values():
        for question in asked:
            chosen = (answers.get("questions") or {}).get(question.key)
            if chosen is None or (purpose == "single") != isinstance(question, Choice):
                continue
            for reader in (label, "all"):
                tallies.setdefault((question.key, reader), _Tally()).count(question, chosen, side)
    scored = {question.key: question for question in asked}
    rows = []
    for (key, reader), tally in sorted(tallies.items(), key=lambda item: (item[0][0], item[0][1] == "all")):
        found = tally.score(scored[key])
        rows.append(
            {"reader": reader, "question": key, "n": tally.n, "correct": tally.correct, "d_prime": found.value,
             "low": found.low, "high": found.high, "note": found.note}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=["reader", "question", "n", "correct", "d_prime", "low", "high", "note"])


def _is_scored(question: Question) -> bool:
    if isinstance(question, ForcedChoice):
        return question.right is not None
    if not isinstance(question, Choice):
        return False
    rights = {question.right_for_original, question.right_for_counterfactual} - {""}
    return len(rights) == 2


@dataclass
class _Tally:
    """Answers of a reader to one question: right of all, and, of single images, generated ones and those called so."""

    n: int = 0
    correct: int = 0
    signals: int = 0
    hits: int = 0
    false_alarms: int = 0

    def count(self, question: Question, chosen: str, side: str) -> None:
        self.n += 1
        if isinstance(question, ForcedChoice):
            self.correct += (chosen == side) == (question.right == "original")
        elif isinstance(question, Choice):
            # In a single-image trial the image stands on side A.
            generated = side != "A"
            called = chosen == question.right_for_counterfactual
            self.signals += generated
            self.hits += generated and called
            self.false_alarms += called and not generated
            self.correct += chosen == (question.right_for_counterfactual if generated else question.right_for_original)

    def score(self, question: Question) -> Estimate:
        if isinstance(question, ForcedChoice):
            return d_prime_forced_choice(self.correct, self.n)
        return d_prime(self.hits, self.signals, self.false_alarms, self.n - self.signals)
