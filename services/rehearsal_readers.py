"""Simulated readers read a copy of a study, through the same services as people, before anybody does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.study.protocol import Protocol
from cfcore.study.questions import PRESENCE, asked_at
from cfcore.study.recovery import recovery_table
from cfcore.study.schedule import Trial as Turn
from cfcore.study.simulated import (
    SimulatedReader,
    Truth,
    checklist,
    draw_impressions,
    draw_truth,
    reading_seconds,
)
from cfcore.study.simulated_questions import answer_questions
from db.events import record
from db.models import Base, ExcludedPair, Pair, PlannedTrial, Rehearsal, Study, StudyReader, Trial, now
from services import reading
from services.accounts import ensure_account
from services.permissions import require
from services.reference_answers import reference_of
from services.rehearsal_removal import remove_copy
from services.results import results
from services.schedule import write_trials
from services.study_design.planning import turns_of
from services.study_views import StudyRefused, protocol_of
from services.workspace import Workspace

Progress = Callable[[float, str], None]
MOST_READERS = 20
# Controls whose two sides show the same findings.
SAME = ("identical", "reconstruction", "filter")


@dataclass(frozen=True)
class Assumed:
    """What is there to be seen. prevalence: chance of a finding in an original; appears: arm key -> chance that a
    finding which is not in the original is in the counterfactual (an arm that is not named: 0). known: pairs whose
    truth is stored keep it, and reference answers say what is in an original."""

    prevalence: float = 0.2
    appears: Mapping[str, float] = dataclasses.field(default_factory=dict)
    known: bool = False


@dataclass(frozen=True)
class RehearsalView:
    """A rehearsal as the page lists it."""

    study_id: int
    source_id: int
    created_at: datetime
    readers: tuple[SimulatedReader, ...]
    assumed: Assumed
    seed: int


def rehearse(
    workspace: Workspace,
    study_id: int,
    readers: Sequence[SimulatedReader],
    assumed: Assumed,
    *,
    seed: int = 0,
    actor: str,
    progress: Progress = lambda share, message: None,
) -> int:
    """Let simulated readers read a copy of the draft or locked study; returns the id of the copy, which is closed.

    The copy has the study's protocol, pairs and schedule, and its own readers and readings: nothing of it ever enters
    the study. Every answer goes through `services.reading.case` and `save_reading`. Days of washout are not waited for
    (the clock is the one thing that is not rehearsed). progress may raise to stop: the half-read copy is taken away.
    Raises StudyRefused for a study without pairs or questions, for no reader or more than 20, and where the copy was
    removed in between, since the pairs were made again.
    """
    if not 1 <= len(readers) <= MOST_READERS:
        raise StudyRefused(f"{len(readers)} simulated readers: choose 1 to {MOST_READERS}.")
    readers = tuple(replace(reader, key=f"R{i}") for i, reader in enumerate(readers, 1))
    rng = np.random.default_rng([seed, 0x5E4EA])
    accounts = [
        ensure_account(workspace, f"simulated-{i}", f"Simulated reader {i}", "reader")
        for i in range(1, len(readers) + 1)
    ]
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        try:
            copy = _copy(session, study_id, len(readers))
        except StudyRefused:
            raise
        except ValueError as error:
            # The design has no cases for so many readers.
            raise StudyRefused(str(error)) from error
        truth = _truth(session, study_id, copy, assumed, rng)
        for pair in copy.pairs:
            pair.truth = {key: list(truth[pair.id, key]) for key in _keys(protocol_of(copy))}
        own = [write_trials(session, copy, account, simulated=True) for account in accounts]
        settings = {
            "readers": [dataclasses.asdict(reader) for reader in readers],
            "assumed": {**dataclasses.asdict(assumed), "appears": dict(assumed.appears)},
            "seed": seed,
        }
        session.add(Rehearsal(study_id=copy.id, source_id=study_id, settings=settings))
        record(session, actor, "study rehearsed", f"study {study_id}", rehearsal=copy.id, readers=len(readers))
        copy_id, protocol = copy.id, protocol_of(copy)
        series = [reading.series_name(workspace, row.id) for row in own]
        pairs = sorted(pair.id for pair in copy.pairs)
    seats = dict(zip(accounts, zip(series, readers, strict=True), strict=True))
    try:
        read_series(workspace, seats, protocol, pairs, truth, rng, progress)
    except BaseException as error:
        with workspace.session() as session:
            if session.get(Study, copy_id) is None:
                raise StudyRefused("The pairs were made again while they were read: start a new rehearsal.") from error
            remove_copy(session, copy_id, actor)
        raise
    with workspace.session() as session:
        closed = session.get_one(Study, copy_id)
        closed.state, closed.closed_at = "closed", now()
        record(session, actor, "rehearsal read", f"study {copy_id}")
    progress(1.0, "read")
    return copy_id


def read_series(
    workspace: Workspace,
    seats: Mapping[int, tuple[str, SimulatedReader]],
    protocol: Protocol,
    pairs: Sequence[int],
    truth: Truth,
    rng: np.random.Generator,
    progress: Progress = lambda share, message: None,
) -> None:
    """Let simulated readers who have a seat in an open study read all their cases, one reader after the other.

    seats: account -> name of its series (`services.reading.series_name`) and who reads there. pairs: ids of the study's
    pairs. truth: (pair id, finding) -> whether it is in the original and in the counterfactual.
    """
    impressions = draw_impressions(pairs, _keys(protocol), rng)
    tastes = {pair: float(rng.normal()) for pair in pairs}
    seen = _Seen(protocol, truth, impressions, tastes)
    for i, (account, (series, reader)) in enumerate(seats.items()):
        part = _part(progress, i / len(seats), 1 / len(seats), reader.key)
        _read(workspace, account, series, reader, seen, rng, part)


def _part(progress: Progress, start: float, share: float, reader: str) -> Callable[[float], None]:
    return lambda done: progress(start + share * done, f"{reader} reads")


@dataclass(frozen=True)
class _Seen:
    """What all simulated readers have before them."""

    protocol: Protocol
    truth: Truth
    impressions: Mapping[tuple[Any, str], Any]
    tastes: Mapping[int, float]


def _keys(protocol: Protocol) -> list[str]:
    return [finding.key for finding in protocol.findings]


def _clone(row: Base, **changes: Any) -> Any:
    """A new row with the same values in all columns but the id and `changes`."""
    names = [column.key for column in sa.inspect(type(row)).column_attrs if column.key != "id"]
    return type(row)(**{**{name: getattr(row, name) for name in names}, **changes})


def _copy(session: Session, study_id: int, n_readers: int) -> Study:
    source = session.get(Study, study_id)
    if source is None:
        raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
    if not source.pairs:
        raise StudyRefused("No pairs are made yet: choose images and arms, make the pairs, then rehearse.")
    if not source.protocol.get("findings"):
        raise StudyRefused("List the findings first: there is nothing yet that readers would be asked.")
    protocol = dict(source.protocol)
    if protocol.get("repeats"):
        protocol["repeats"] = {**protocol["repeats"], "washout_days": 0}
    copy = _clone(
        source, title=f"{source.title} (rehearsal)", state="locked", protocol=protocol, digest=None, created_at=now(),
        locked_at=now(), closed_at=None,
    )  # fmt: skip
    session.add(copy)
    session.flush()
    new: dict[int, Pair] = {pair.id: _clone(pair, study_id=copy.id) for pair in source.pairs}
    session.add_all(new.values())
    session.flush()
    for row in session.scalars(sa.select(ExcludedPair).where(ExcludedPair.study_id == study_id)):
        session.add(_clone(row, study_id=copy.id))
    for slot in range(1, n_readers + 1):
        # What people will be given: as planned, or drawn as it will be drawn when they are invited.
        for turn in turns_of(session, source, slot):
            planned = PlannedTrial(
                study_id=copy.id, slot=slot, position=turn.position, pair_id=new[int(turn.pair_id)].id,
                purpose=turn.purpose, original_side=turn.original_side,
            )  # fmt: skip
            session.add(planned)
    session.flush()
    session.refresh(copy)
    return copy


def _truth(
    session: Session, study_id: int, copy: Study, assumed: Assumed, rng: np.random.Generator
) -> dict[Any, tuple[bool, bool]]:
    keys = _keys(protocol_of(copy))
    pairs: dict[Any, tuple[str, Any]] = {pair.id: (pair.arm, pair.patient) for pair in copy.pairs}
    others: dict[Any, Any] = {
        p.id: p.meta["second_patient"] for p in copy.pairs if p.kind == "patients" and p.meta.get("second_patient")
    }
    try:
        truth = draw_truth(
            pairs,
            keys,
            dict.fromkeys(keys, assumed.prevalence),
            {(arm, key): chance for arm, chance in assumed.appears.items() for key in keys},
            rng,
            frozenset(pair.id for pair in copy.pairs if pair.kind in SAME),
            others,
        )
    except ValueError as error:
        raise StudyRefused(str(error)) from error
    if assumed.known:
        reference = reference_of(session, study_id)
        for pair in copy.pairs:
            for key in keys:
                if (present := reference.get((pair.image_id, key))) is not None:
                    new = pair.kind == "counterfactual" and bool(rng.random() < assumed.appears.get(pair.arm, 0.0))
                    moved = truth[pair.id, key][1] if pair.id in others else present or new
                    truth[pair.id, key] = (present, moved)
            truth |= {(pair.id, key): (bool(state[0]), bool(state[1])) for key, state in (pair.truth or {}).items()}
    return truth


def _read(
    workspace: Workspace,
    account_id: int,
    series: str,
    reader: SimulatedReader,
    seen: _Seen,
    rng: np.random.Generator,
    progress: Callable[[float], None],
) -> None:
    """One reader's whole series, case by case as the reading room asks for them."""
    with workspace.session() as session:
        rows = session.execute(
            sa.select(Trial.token, Trial.pair_id, Trial.position, Trial.original_side, Trial.purpose)
            .join(StudyReader, StudyReader.id == Trial.study_reader_id)
            .join(Study, Study.id == StudyReader.study_id)
            .where(StudyReader.account_id == account_id, Study.state == "locked", StudyReader.simulated)
            .order_by(Trial.position)
        ).tuples()
        turns = {token: Turn(position, pair, side, purpose) for token, pair, position, side, purpose in rows}  # type: ignore[arg-type]
    tokens = [case["token"] for case in reading.progress(workspace, account_id, series)["cases"]]
    for position, token in enumerate(tokens):
        if not reader.reads(position):
            break
        case, turn = reading.case(workspace, account_id, 0, token), turns[token]
        tired = position / max(len(tokens) - 1, 1)
        # Practice ends when everything is answered and enough of it is right: till then no counted case opens.
        practises = turn.purpose == "training"
        who = replace(reader, lapse=0.0, cannot=0.0) if practises else reader
        answers = _answers(case["questions"], turn, who, tired, seen, rng)
        seconds = reading_seconds(reader, position, rng)
        saved = reading.save_reading(workspace, account_id, token, case["sequence"] + 1, answers, seconds)
        if not all(one["correct"] for one in saved.feedback):
            told = {one["key"]: one["right"] for one in saved.feedback}
            again = _answers(case["questions"], turn, who, tired, seen, rng, told)
            reading.save_reading(workspace, account_id, token, saved.sequence + 1, again, seconds)
        progress((position + 1) / len(tokens))


def _answers(
    asked: Mapping[str, Any],
    turn: Turn,
    reader: SimulatedReader,
    progress: float,
    seen: _Seen,
    rng: np.random.Generator,
    told: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """What the reader answers to the questions of one case. told: right answers that the reader has been shown."""
    occasion, pair = asked["occasion"], int(turn.pair_id)
    keys = [finding["key"] for finding in asked["findings"]]
    given = checklist(reader, turn, seen.truth, seen.impressions, keys, progress, rng)
    findings: dict[str, Any] = {key: answer for key, answer in given.items() if answer is not None} | dict(told)
    if occasion == "single":
        # What the reader would see on side A of the pair is seen in the image that stands alone there.
        ticked = ("both", "A")
        findings = {k: a if a == "cannot" else PRESENCE[0] if a in ticked else PRESENCE[1] for k, a in findings.items()}  # type: ignore[misc]
    taste = seen.tastes[pair]
    ratings = {}
    for rating in asked["ratings"]:
        latent = reader.agreement * taste + np.sqrt(1 - reader.agreement**2) * rng.normal()
        middle = (rating["points"] + 1) / 2
        ratings[rating["key"]] = int(np.clip(round(middle + 0.25 * rating["points"] * latent), 1, rating["points"]))
    states = {key: seen.truth[pair, key] for key in keys}
    right = {key: _is_right(findings[key], states[key], turn.original_side) for key in findings}
    side: str = turn.original_side
    differs = any(before != after for before, after in states.values())
    if occasion == "single":
        moved = turn.original_side == "B"
        right = {key: (findings[key] == PRESENCE[0]) == states[key][moved] for key in findings}
        side, differs = "", moved
    questions = answer_questions(
        asked_at(seen.protocol.questions, occasion),
        reader,
        {**findings, **ratings},
        side,
        progress,
        taste,
        rng,
        right,
        differs,
    )
    answers: dict[str, Any] = {"findings": findings, "ratings": ratings, "comment": ""}
    return answers | ({"questions": questions} if questions else {})


def _is_right(answer: str, state: tuple[bool, bool], original_side: str) -> bool:
    other = "B" if original_side == "A" else "A"
    truth = {(True, True): "both", (False, False): "neither", (True, False): original_side, (False, True): other}
    return answer == truth[state]


def rehearsals(workspace: Workspace, study_id: int) -> list[RehearsalView]:
    """The rehearsals of a study that have been read, newest first."""
    with workspace.session() as session:
        rows = session.scalars(
            sa.select(Rehearsal)
            .join(Study, Study.id == Rehearsal.study_id)
            .where(Rehearsal.source_id == study_id, Study.state == "closed")
            .order_by(Rehearsal.id.desc())
        ).all()
    return [_view(row) for row in rows]


def _view(row: Rehearsal) -> RehearsalView:
    readers = tuple(SimulatedReader(**reader) for reader in row.settings["readers"])
    return RehearsalView(
        row.study_id, row.source_id, row.created_at, readers, Assumed(**row.settings["assumed"]), row.settings["seed"]
    )


def remove_rehearsal(workspace: Workspace, rehearsal_id: int, actor: str) -> None:
    """Remove a rehearsal (the id of its copy) with all of its readings. Raises StudyRefused where it is none."""
    with workspace.session() as session:
        row = session.scalar(sa.select(Rehearsal).where(Rehearsal.study_id == rehearsal_id))
        if row is None:
            raise StudyRefused("This rehearsal is not there any more: reload the page.")
        require(session, actor, row.source_id, "design")
        remove_copy(session, rehearsal_id, actor)


def recovered(workspace: Workspace, rehearsal_id: int) -> pd.DataFrame:
    """Put in and found, see `cfcore.study.recovery.recovery_table`. Raises StudyRefused where it is no rehearsal."""
    with workspace.session() as session:
        row = session.scalar(sa.select(Rehearsal).where(Rehearsal.study_id == rehearsal_id))
        if row is None:
            raise StudyRefused("This rehearsal is not there any more: reload the page.")
        view = _view(row)
        counts = session.execute(
            sa.select(StudyReader.label, sa.func.count(Trial.id))
            .join(Trial, Trial.study_reader_id == StudyReader.id)
            .where(StudyReader.study_id == rehearsal_id)
            .group_by(StudyReader.label)
        ).tuples()
        n_cases = dict(counts.all())
        stored = session.scalars(sa.select(Pair).where(Pair.study_id == rehearsal_id).order_by(Pair.id)).all()
    found = results(workspace, rehearsal_id)
    labels = {case.pair.id: case.label for case in found.cases}
    truth = {
        (labels[pair.id], key): (bool(state[0]), bool(state[1]))
        for pair in stored
        if pair.id in labels
        for key, state in (pair.truth or {}).items()
    }
    readers = {reader.key: reader for reader in view.readers}
    return recovery_table(found.decoded, readers, truth, n_cases, np.random.default_rng([view.seed, 0x5EC0]))
