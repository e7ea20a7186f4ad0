"""From stored readings to what a study found: decode first, then findings by arm, agreement, readers and cases."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from cfcore.study.decode import decode_ratings, decode_readings
from cfcore.study.findings import Headline, findings_table, headline, per_reader
from cfcore.study.ratings import ratings_table
from cfcore.study.readers import readers_table
from db.models import Event, Pair, Reading, StudyReader, Trial
from services.study_views import PairView, StudyView, study_view
from services.workspace import Workspace

KEPT = 16
STATES = {"cannot": "cannot assess", "missing": "no answer"}


@dataclass(frozen=True)
class CaseReading:
    """What one reader said about one pair, decoded. `seen`: finding key -> "appears", "disappears", "both",
    "neither", "cannot assess" or "no answer"."""

    reader: str
    simulated: bool
    position: int
    read: bool
    seen: dict[str, str]
    ratings: dict[str, int | None]
    comment: str
    seconds: float | None


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
        headline, findings, per_reader, readers, ratings: see `cfcore.study.findings` and `cfcore.study.ratings`
            (shares are fractions in [0, 1], intervals 95 %).
        decoded, rated: tidy tables, one row per reader, pair and finding (or rating).
        interim: the study is still open, so nothing here is final.
        simulated: labels of the readers that are programs.
    """

    study: StudyView
    headline: Headline
    findings: pd.DataFrame
    per_reader: pd.DataFrame
    readers: pd.DataFrame
    ratings: pd.DataFrame
    decoded: pd.DataFrame
    rated: pd.DataFrame
    cases: tuple[Case, ...]
    interim: bool
    simulated: tuple[str, ...]


_cache: OrderedDict[tuple[Any, ...], StudyResults] = OrderedDict()
_lock = threading.Lock()


def results(workspace: Workspace, study_id: int) -> StudyResults:
    """The results of a study as they stand now (the latest complete reading of every trial counts).

    Kept in memory until another reading, reader or event of the workspace makes them old. Raises StudyRefused where
    there is no such study.
    """
    key = (str(workspace.folder), workspace.database_url, study_id, *_newest(workspace, study_id))
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    found = _compute(workspace, study_id)
    with _lock:
        _cache[key] = found
        while len(_cache) > KEPT:
            _cache.popitem(last=False)
    return found


def reading_rows(workspace: Workspace, study: StudyView) -> list[dict[str, Any]]:
    """One mapping per planned trial, as `cfcore.study.decode` takes them, plus "comment", "saved_at" and "pair_id".

    Patients and pairs are numbered within the study ("P01", "C01"): no pseudonym leaves the workspace with a table.
    """
    patients = {p: f"P{i:02d}" for i, p in enumerate(dict.fromkeys(pair.patient for pair in study.pairs), 1)}
    labels = {pair.id: f"C{i:02d}" for i, pair in enumerate(study.pairs, 1)}
    latest = (
        sa.select(Reading.trial_id, sa.func.max(Reading.sequence).label("sequence"))
        .where(Reading.complete)
        .group_by(Reading.trial_id)
        .subquery()
    )
    query = (
        sa.select(Trial, StudyReader.label, Pair.arm, Pair.patient, Reading)
        .join(StudyReader, StudyReader.id == Trial.study_reader_id)
        .join(Pair, Pair.id == Trial.pair_id)
        .outerjoin(latest, latest.c.trial_id == Trial.id)
        .outerjoin(Reading, sa.and_(Reading.trial_id == Trial.id, Reading.sequence == latest.c.sequence))
        .where(StudyReader.study_id == study.id)
        .order_by(StudyReader.id, Trial.position)
    )
    rows = []
    with workspace.session() as session:
        for trial, reader, arm, patient, reading in session.execute(query):
            answers = reading.answers if reading else {}
            rows.append(
                {
                    "reader": reader,
                    "arm": arm,
                    "patient": patients[patient],
                    "pair": labels[trial.pair_id],
                    "pair_id": trial.pair_id,
                    "position": trial.position,
                    "original_side": trial.original_side,
                    "purpose": "reading",
                    "answers": answers.get("findings") or {},
                    "ratings": answers.get("ratings") or {},
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


def _compute(workspace: Workspace, study_id: int) -> StudyResults:
    study = study_view(workspace, study_id)
    protocol = study.protocol
    rows = reading_rows(workspace, study)
    keys = [finding.key for finding in protocol.findings]
    decoded = decode_readings(rows, keys)
    rated = decode_ratings(rows, [rating.key for rating in protocol.ratings])
    # One stream per table: a table's intervals do not depend on which others are asked for.
    streams = [np.random.default_rng([study.seed, i]) for i in range(3)]
    simulated = tuple(reader.label for reader in study.readers if reader.simulated)
    return StudyResults(
        study=study,
        headline=headline(decoded, streams[0]),
        findings=findings_table(decoded, protocol.findings, protocol.arms, streams[1]),
        per_reader=per_reader(decoded, protocol.findings, protocol.arms),
        readers=readers_table(decoded),
        ratings=ratings_table(rated, protocol.ratings, protocol.arms, streams[2]),
        decoded=decoded,
        rated=rated,
        cases=_cases(study, rows, decoded, simulated),
        interim=study.state != "closed",
        simulated=simulated,
    )


def _cases(
    study: StudyView, rows: list[dict[str, Any]], decoded: pd.DataFrame, simulated: tuple[str, ...]
) -> tuple[Case, ...]:
    columns = ("reader", "pair", "finding", "status", "in_original", "in_counterfactual")
    seen: dict[tuple[str, str], dict[str, str]] = {}
    for reader, pair, finding, status, original, counterfactual in zip(*(decoded[c] for c in columns), strict=True):
        word = STATES.get(status) or _word(bool(original), bool(counterfactual))
        seen.setdefault((reader, pair), {})[finding] = word
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
                seen=seen.get((row["reader"], row["pair"]), {}),
                ratings={rating.key: row["ratings"].get(rating.key) for rating in study.protocol.ratings},
                comment=row["comment"],
                seconds=row["seconds"],
            )
            for row in own
        )
        cases.append(Case(own[0]["pair"], own[0]["patient"], pair.arm, pair, readings))
    return tuple(cases)


def _word(original: bool, counterfactual: bool) -> str:
    if original == counterfactual:
        return "both" if original else "neither"
    return "appears" if counterfactual else "disappears"
