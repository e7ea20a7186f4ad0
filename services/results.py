"""From stored readings to what a study found: decode first, then findings by arm, agreement, readers and cases."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from cfcore.engines.catalogue import title_of
from cfcore.reports.others import answers_table
from cfcore.reports.tables import Questions, StudyTables, findings_by, study_tables
from cfcore.study.decode import decode_ratings, decode_readings
from cfcore.study.decode_questions import occasion_of
from cfcore.study.findings import Headline
from cfcore.study.protocol import Arm, Finding
from cfcore.study.questions import Question, asked_at
from db.models import Event, Image, Pair, Reading, Run, StudyReader, Trial
from services.report.looks import Look, LookState, ResultsSealed, look_state
from services.study_views import PairView, StudyView, study_view
from services.workspace import Workspace

KEPT = 16
STATES = {"cannot": "cannot assess", "missing": "no answer"}
# What a trial was shown for, in the words of `cfcore.study.decode`. Training cases are no result at all.
PURPOSES = {"counted": "reading", "repeat": "repeat", "control": "control"} | {
    name: name for name in ("guess", "series", "single")
}
DECODED = ("reading", "repeat", "control")
# What is known of a trial beside what decoding needs.
EXTRAS = ("simulated", "pair_kind", "source_class", "flipped")
TRIAL = ("reader", "arm", "patient", "pair", "purpose", "position", "original_side", "seconds", *EXTRAS)


@dataclass(frozen=True)
class CaseReading:
    """What one reader said about one pair, decoded. `seen`: finding key -> "appears", "disappears", "both",
    "neither", "cannot assess" or "no answer". `purpose`: "reading" (the first), "repeat" or "control"."""

    reader: str
    simulated: bool
    position: int
    read: bool
    seen: dict[str, str]
    ratings: dict[str, int | None]
    comment: str
    seconds: float | None
    purpose: str = "reading"


@dataclass(frozen=True)
class Case:
    """A pair with what every reader said. `label` ("C07") and `patient` ("P07") are numbers of this study alone."""

    label: str
    patient: str
    arm: str
    pair: PairView
    readings: tuple[CaseReading, ...]


@dataclass(frozen=True)
class StudyResults:
    """Everything that the Results page, the report and the exports show.

    Attributes:
        tables: every table, see `cfcore.reports.tables` (shares are fractions in [0, 1], intervals 95 %).
        decoded, rated: tidy tables, one row per reader, pair and finding (or rating), with "simulated", "pair_kind",
            "source_class" and "flipped" beside the columns of `cfcore.study.decode`.
        answers: guesses, further questions and comments, see `cfcore.reports.others.answers_table`.
        interim: the study is still open, so nothing here is final.
        looks: plan and looks taken; `exploratory` where one of them was not planned.
        simulated: labels of the readers that are programs. methods: arm key -> engine behind it, where known.
    """

    study: StudyView
    tables: StudyTables
    decoded: pd.DataFrame
    rated: pd.DataFrame
    answers: pd.DataFrame
    cases: tuple[Case, ...]
    interim: bool
    looks: LookState
    simulated: tuple[str, ...]
    methods: dict[str, str]

    @property
    def headline(self) -> Headline:
        return self.tables.headline

    @property
    def findings(self) -> pd.DataFrame:
        return self.tables.findings

    @property
    def per_reader(self) -> pd.DataFrame:
        return self.tables.per_reader

    @property
    def readers(self) -> pd.DataFrame:
        return self.tables.readers

    @property
    def ratings(self) -> pd.DataFrame:
        return self.tables.ratings

    @property
    def exploratory(self) -> bool:
        return bool(self.looks.unplanned)


_cache: OrderedDict[tuple[Any, ...], StudyResults] = OrderedDict()
_lock = threading.Lock()


def results(workspace: Workspace, study_id: int, *, look: Look | None = None) -> StudyResults:
    """The results of a closed study, or of an open one as a look found them.

    The latest complete reading of every trial counts. Kept in memory until another reading, reader or event of the
    workspace makes them old.

    Raises StudyRefused where there is no such study, ResultsSealed where people still read it and `look` is None:
    whoever sees results while a study runs may change how it ends (`services.report.looks`).
    """
    until = look.last_reading if look else None
    key = (str(workspace.folder), workspace.database_url, study_id, until, *_newest(workspace, study_id))
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    found = _compute(workspace, study_id, until)
    with _lock:
        _cache[key] = found
        while len(_cache) > KEPT:
            _cache.popitem(last=False)
    return found


def shown_results(workspace: Workspace, study_id: int) -> StudyResults:
    """The results that may be shown now: final ones, or those of the last look that was taken.

    Raises ResultsSealed where the study is open and nobody has taken a look.
    """
    state = look_state(workspace, study_id)
    last = state.taken[-1] if state.taken and not _closed(workspace, study_id) else None
    return results(workspace, study_id, look=last)


def _closed(workspace: Workspace, study_id: int) -> bool:
    return study_view(workspace, study_id).state == "closed"


def reading_rows(workspace: Workspace, study: StudyView, until: int | None = None) -> list[dict[str, Any]]:
    """One mapping per planned trial, as `cfcore.study.decode` takes them, plus "comment", "saved_at", "pair_id",
    "questions", "simulated", "pair_kind", "source_class" and "flipped". Training is left out, and so are the cases that
    a replacement has taken over unread. until: id of the last reading that counts, default all.

    Patients and pairs are numbered within the study ("P01", "C01"): no pseudonym leaves the workspace with a table.
    """
    patients = {p: f"P{i:02d}" for i, p in enumerate(dict.fromkeys(pair.patient for pair in study.pairs), 1)}
    labels = {pair.id: f"C{i:02d}" for i, pair in enumerate(study.pairs, 1)}
    latest = (
        sa.select(Reading.trial_id, sa.func.max(Reading.sequence).label("sequence"))
        .where(Reading.complete, Reading.id <= until if until is not None else sa.true())
        .group_by(Reading.trial_id)
        .subquery()
    )
    query = (
        sa.select(Trial, StudyReader.label, StudyReader.simulated, Pair, Image.labels, Reading)
        .join(StudyReader, StudyReader.id == Trial.study_reader_id)
        .join(Pair, Pair.id == Trial.pair_id)
        .join(Image, Image.id == Pair.image_id)
        .outerjoin(latest, latest.c.trial_id == Trial.id)
        .outerjoin(Reading, sa.and_(Reading.trial_id == Trial.id, Reading.sequence == latest.c.sequence))
        .where(StudyReader.study_id == study.id, Trial.purpose.in_(PURPOSES))
        .order_by(StudyReader.id, Trial.position)
    )
    rows = []
    with workspace.session() as session:
        for trial, reader, simulated, pair, image_labels, reading in session.execute(query):
            if trial.taken_over and reading is None:
                continue
            answers = reading.answers if reading else {}
            rows.append(
                {
                    "reader": reader,
                    "simulated": simulated,
                    "arm": pair.arm,
                    "pair_kind": pair.kind,
                    "source_class": ", ".join(image_labels) or None,
                    "flipped": pair.flipped if pair.kind == "counterfactual" else None,
                    "patient": patients[pair.patient],
                    "pair": labels[trial.pair_id],
                    "pair_id": trial.pair_id,
                    "position": trial.position,
                    "original_side": trial.original_side,
                    "purpose": PURPOSES[trial.purpose],
                    "answers": answers.get("findings") or {},
                    "ratings": answers.get("ratings") or {},
                    "questions": answers.get("questions") or {},
                    "comment": answers.get("comment") or "",
                    "seconds": reading.seconds if reading else None,
                    "saved_at": reading.saved_at if reading else None,
                    "read": reading is not None,
                }
            )
    return rows


def _newest(workspace: Workspace, study_id: int) -> tuple[int, int]:
    """Ids that grow with every reading of the study and with every event (lock, invitation, close)."""
    reading = (
        sa.select(sa.func.max(Reading.id))
        .join(Trial, Trial.id == Reading.trial_id)
        .join(StudyReader, StudyReader.id == Trial.study_reader_id)
        .where(StudyReader.study_id == study_id)
    )
    event = sa.select(sa.func.max(Event.id)).where(Event.subject == f"study {study_id}")
    with workspace.session() as session:
        return session.scalar(reading) or 0, session.scalar(event) or 0


def _compute(workspace: Workspace, study_id: int, until: int | None) -> StudyResults:
    study = study_view(workspace, study_id)
    if study.state != "closed" and until is None and any(not reader.simulated for reader in study.readers):
        raise ResultsSealed(
            f"“{study.title}” is still being read: its results stay sealed until it is closed, or until a look is "
            "taken "
            "under Results."
        )
    protocol = study.protocol
    every = reading_rows(workspace, study, until)
    rows = [row for row in every if row["purpose"] in DECODED]
    decoded = _with_extras(decode_readings(rows, [finding.key for finding in protocol.findings]), rows)
    rated = _with_extras(decode_ratings(rows, [rating.key for rating in protocol.ratings]), rows)
    answers = answers_table(_answers(every, protocol.questions, protocol.findings))
    simulated = tuple(reader.label for reader in study.readers if reader.simulated)
    asked = Questions(protocol.findings, protocol.ratings, protocol.arms, protocol.analysis, protocol.questions)
    return StudyResults(
        study=study,
        tables=study_tables(decoded, rated, answers, asked, study.seed),
        decoded=decoded,
        rated=rated,
        answers=answers,
        cases=_cases(study, rows, decoded, simulated),
        interim=study.state != "closed",
        looks=look_state(workspace, study_id),
        simulated=simulated,
        methods=_methods(workspace, study),
    )


def findings_by_group(found: StudyResults, column: str) -> tuple[pd.DataFrame, tuple[Arm, ...]]:
    """The findings by "method", or by a column of the decoded table (`cfcore.reports.tables.findings_by`); a method is
    called by its title."""
    decoded = found.decoded.assign(method=found.decoded["arm"].map(found.methods))
    # A stream of its own for each grouping, after those of the tables.
    rng = np.random.default_rng([found.study.seed, 100, *column.encode()])
    table, groups = findings_by(decoded, found.study.protocol.findings, column, rng)
    if column == "method":
        groups = tuple(replace(group, name=title_of(group.key)) for group in groups)
    return table, groups


def _methods(workspace: Workspace, study: StudyView) -> dict[str, str]:
    runs = {arm.key: arm.run or study.run_id for arm in study.protocol.arms}
    with workspace.session() as session:
        engines = dict(session.execute(sa.select(Run.id, Run.engine)).tuples().all())
    return {arm: engine for arm, run in runs.items() if run is not None and (engine := engines.get(run))}


def _answers(
    rows: list[dict[str, Any]], questions: Sequence[Question], findings: Sequence[Finding]
) -> Iterator[dict[str, Any]]:
    """Guesses, further questions and comments, a mapping each; a question without an answer has one, too. Of images
    that stood alone also the findings: the tables of readings are about pairs."""
    for row in rows:
        trial = {name: row[name] for name in TRIAL}
        for finding in findings if occasion_of(row) == "single" else ():
            about = {"question": finding.key, "kind": "presence", "label": finding.label}
            yield trial | about | {"answer": row["answers"].get(finding.key), "value": None}
        for question in asked_at(questions, occasion_of(row)):
            given = row["questions"].get(question.key)
            number = float(given) if isinstance(given, int | float) and not isinstance(given, bool) else None
            told = given if given is None or isinstance(given, str) else json.dumps(given, sort_keys=True)
            about = {"question": question.key, "kind": question.kind, "label": question.text}
            yield trial | about | {"answer": told, "value": number}
        if row["comment"]:
            said = {"question": "comment", "kind": "comment", "label": "Comment", "answer": row["comment"]}
            yield trial | said | {"value": None}


def _with_extras(table: pd.DataFrame, rows: list[dict[str, Any]]) -> pd.DataFrame:
    by_trial = {(row["reader"], row["position"]): row for row in rows}
    trials = [by_trial[key] for key in zip(table["reader"], table["position"], strict=True)]
    extra = {name: [row[name] for row in trials] for name in EXTRAS}
    return table.assign(**extra).astype({"simulated": "boolean", "flipped": "boolean"})


def _cases(
    study: StudyView, rows: list[dict[str, Any]], decoded: pd.DataFrame, simulated: tuple[str, ...]
) -> tuple[Case, ...]:
    columns = ("reader", "position", "finding", "status", "in_original", "in_counterfactual")
    seen: dict[tuple[str, int], dict[str, str]] = {}
    for reader, position, finding, status, original, counterfactual in zip(*(decoded[c] for c in columns), strict=True):
        word = STATES.get(status) or _word(bool(original), bool(counterfactual))
        seen.setdefault((reader, position), {})[finding] = word
    by_pair: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        by_pair.setdefault(row["pair_id"], []).append(row)
    cases = []
    for pair in study.pairs:
        own = by_pair.get(pair.id, [])
        if not own:
            continue
        readings = tuple(
            CaseReading(
                reader=row["reader"],
                simulated=row["reader"] in simulated,
                position=row["position"],
                read=row["read"],
                seen=seen.get((row["reader"], row["position"]), {}),
                ratings={rating.key: row["ratings"].get(rating.key) for rating in study.protocol.ratings},
                comment=row["comment"],
                seconds=row["seconds"],
                purpose=row["purpose"],
            )
            for row in own
        )
        cases.append(Case(own[0]["pair"], own[0]["patient"], pair.arm, pair, readings))
    return tuple(cases)


def _word(original: bool, counterfactual: bool) -> str:
    if original == counterfactual:
        return "both" if original else "neither"
    return "appears" if counterfactual else "disappears"
