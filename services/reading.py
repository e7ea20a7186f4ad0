"""Reading a study blind: the list, a case, its pixels, and the append-only answers.

Nothing that leaves these functions tells engine, eigenvector, degree, side, class or patient.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, contains_eager

from cfcore.study.measuring import checked_measures
from cfcore.study.viewing import viewing_data, viewing_from
from db.events import record
from db.models import Reading, Study, StudyReader, Trial, now
from services import reader_profiles
from services.answers import asked_of, checked, is_complete, occasion_of, sides_of
from services.pair_pixels import SIDES, geometry, raw_pixels
from services.sittings import CheckRefused, add_check, check_needed
from services.study_design.clock import note_clock
from services.study_design.opening import why_closed
from services.study_design.training import feedback
from services.viewing_log import LogRefused, add_events
from services.workspace import Workspace, sha256

MOST_SECONDS = 7 * 24 * 3600.0


class ReadingRefused(ValueError):
    """The message tells the reader why and what to do; `status` is the HTTP status that says the same.

    code: names the text in the reader's language (refused.<code> in components/reading_room/texts), which `values`
    fill; a day is written "2026-11-24". `details`: what goes to the browser beside the message.
    """

    def __init__(
        self, message: str, status: int, *, code: str, values: Mapping[str, Any] | None = None, **details: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.details = {"code": code, **({"values": dict(values)} if values else {}), **details}


@dataclass(frozen=True)
class Saved:
    """What the database holds now, echoed to the reader. `feedback`: after a training case, see
    `services.study_design.training.feedback`; empty for every other."""

    sequence: int
    saved_at: datetime
    complete: bool
    feedback: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Series:
    """A line of the reading list. `series` is the opaque name of (study, reader); `label` e.g. "R3"."""

    series: str
    title: str
    label: str
    total: int
    complete: int
    open: bool


def series_name(workspace: Workspace, study_reader_id: int) -> str:
    """The opaque name under which a reader's browser asks for a study: no count of studies shows in it."""
    return hmac.new(workspace.key, f"series {study_reader_id}".encode(), hashlib.sha256).hexdigest()[:24]


def pixel_token(workspace: Workspace, session_id: int, trial_token: str) -> str:
    """The name of a trial's pixels, good for one signed-in session only; the same length for every trial."""
    text = f"pixels {session_id} {trial_token}".encode()
    return f"{trial_token}{hmac.new(workspace.key, text, hashlib.sha256).hexdigest()}"


@dataclass(frozen=True)
class Seat:
    """A reader's place in a study: `label` e.g. "R3", `title` the neutral one."""

    reader_id: int
    study_id: int
    label: str
    title: str


def seat(workspace: Workspace, account_id: int, series: str) -> Seat:
    """Whose series this is. Raises ReadingRefused for one that is not on the account's list."""
    with workspace.session() as session:
        reader = _reader(workspace, session, account_id, series)
        return Seat(reader.id, reader.study_id, reader.label, reader.study.reader_title)


def _reader(workspace: Workspace, session: Session, account_id: int, series: str) -> StudyReader:
    readers = session.scalars(
        sa.select(StudyReader)
        .join(StudyReader.study)
        .where(StudyReader.account_id == account_id, StudyReader.revoked_at.is_(None))
        .options(contains_eager(StudyReader.study))
    )
    for reader in readers:
        if hmac.compare_digest(series_name(workspace, reader.id), series):
            return reader
    message = "This is not on your list. Go back to the list and choose from there."
    raise ReadingRefused(message, 404, code="not_listed")


def _trial(session: Session, account_id: int, token: str) -> tuple[Trial, StudyReader, Study]:
    found = session.execute(
        sa.select(Trial, StudyReader, Study)
        .join(StudyReader, Trial.study_reader_id == StudyReader.id)
        .join(Study, StudyReader.study_id == Study.id)
        .where(Trial.token == token, StudyReader.account_id == account_id)
    ).first()
    if found is None:
        message = "This is not on your list. Go back to the list and choose from there."
        raise ReadingRefused(message, 404, code="not_listed")
    trial, reader, study = found
    if reader.revoked_at is not None:
        message = "Your invitation to this reading has been withdrawn. Ask who invited you."
        raise ReadingRefused(message, 410, code="withdrawn")
    return trial, reader, study


def _last(session: Session, trial_id: int) -> Reading | None:
    return session.scalar(
        sa.select(Reading).where(Reading.trial_id == trial_id).order_by(Reading.sequence.desc()).limit(1)
    )


def _states(session: Session, study_reader_ids: list[int]) -> dict[int, list[tuple[str, str]]]:
    """For each reader the cases in order as (token, "complete" | "started" | "open")."""
    newest = (
        sa.select(Reading.trial_id, sa.func.max(Reading.sequence).label("sequence"))
        .group_by(Reading.trial_id)
        .subquery()
    )
    rows = session.execute(
        sa.select(Trial.study_reader_id, Trial.token, Reading.complete)
        .outerjoin(newest, newest.c.trial_id == Trial.id)
        .outerjoin(Reading, (Reading.trial_id == Trial.id) & (Reading.sequence == newest.c.sequence))
        .where(Trial.study_reader_id.in_(study_reader_ids))
        .order_by(Trial.study_reader_id, Trial.position)
    )
    states: dict[int, list[tuple[str, str]]] = {reader: [] for reader in study_reader_ids}
    for reader, token, complete in rows:
        states[reader].append((token, "open" if complete is None else "complete" if complete else "started"))
    return states


def reading_list(workspace: Workspace, account_id: int) -> list[Series]:
    """What an account has been invited to read, newest first; withdrawn invitations and drafts are not on it."""
    with workspace.session() as session:
        readers = session.scalars(
            sa.select(StudyReader)
            .join(StudyReader.study)
            .where(
                StudyReader.account_id == account_id,
                StudyReader.revoked_at.is_(None),
                Study.state.in_(("locked", "closed")),
            )
            .options(contains_eager(StudyReader.study))
            .order_by(StudyReader.invited_at.desc(), StudyReader.id.desc())
        ).all()
        states = _states(session, [reader.id for reader in readers])
        return [
            Series(
                series=series_name(workspace, reader.id),
                title=reader.study.reader_title,
                label=reader.label,
                total=len(states[reader.id]),
                complete=sum(state == "complete" for _, state in states[reader.id]),
                open=reader.study.state == "locked",
            )
            for reader in readers
        ]


def progress(workspace: Workspace, account_id: int, series: str, login_session_id: int | None = None) -> dict[str, Any]:
    """Title, label, whether answers are taken, and the cases in the reader's order: {"token", "state"} each.

    `at` is the position (from 0) of the first case that is not complete, or None when all are. `profile` is the page
    on which the reader must first say who he or she is, or None; `viewing` the hanging protocol; `check` says whether
    the screen is to be looked at first (once a signed-in session).
    """
    with workspace.session() as session:
        reader = _reader(workspace, session, account_id, series)
        cases = _states(session, [reader.id])[reader.id]
        viewing = viewing_from(reader.study.protocol.get("viewing"))
        check = viewing.screen_check and reader.study.state == "locked" and login_session_id is not None
        return {
            "title": reader.study.reader_title,
            "reader": reader.label,
            "open": reader.study.state == "locked",
            "total": len(cases),
            "at": next((i for i, (_, state) in enumerate(cases) if state != "complete"), None),
            "cases": [{"token": token, "state": state} for token, state in cases],
            "profile": f"/profile/{series}" if reader_profiles.is_missing(session, reader) else None,
            "viewing": viewing_data(viewing),
            "check": check and check_needed(session, reader.id, login_session_id or 0),
        }


def save_screen_check(
    workspace: Workspace, account_id: int, login_session_id: int, series: str, seen: Any, screen: Any
) -> None:
    """Keep what the reader of a series saw of the test pattern (`services.sittings`). Raises ReadingRefused."""
    with workspace.session() as session:
        reader = _reader(workspace, session, account_id, series)
        try:
            add_check(session, reader, login_session_id, seen, screen)
        except CheckRefused as error:
            raise ReadingRefused(str(error), 422, code="check") from error


def log_viewing(workspace: Workspace, account_id: int, trial_token: str, visit: Any, events: Any) -> None:
    """Keep how the reader looked at a case (`services.viewing_log`). Raises ReadingRefused."""
    try:
        with workspace.session() as session:
            trial, _, _ = _trial(session, account_id, trial_token)
            add_events(session, trial.id, visit, events)
    except LogRefused as error:
        raise ReadingRefused(str(error), 422, code="log") from error
    except IntegrityError:
        # The same events came twice at one time: what was first is kept.
        return


def case(workspace: Workspace, account_id: int, session_id: int, trial_token: str) -> dict[str, Any]:
    """One case as the reading room shows it: neutral title, place, questions, pixel geometry, own earlier answers.

    Raises ReadingRefused for a case of somebody else or a withdrawn invitation.
    """
    with workspace.session() as session:
        trial, reader, study = _trial(session, account_id, trial_token)
        if reader_profiles.is_missing(session, reader):
            raise ReadingRefused("Say who you are first: open this reading from the list again.", 428, code="profile")
        if why := why_closed(session, trial, reader, study):
            raise ReadingRefused(why.text, 425, code=why.code, values=why.values)
        pair, last, sides = trial.pair, _last(session, trial.id), sides_of(trial)
        told = feedback(trial, last.answers, study.protocol) if last and last.complete else []
        total = session.scalar(sa.select(sa.func.count(Trial.id)).where(Trial.study_reader_id == reader.id))
        token = pixel_token(workspace, session_id, trial.token)
        return {
            "token": trial.token,
            "title": study.reader_title,
            "position": trial.position,
            "total": total,
            "open": study.state == "locked",
            "questions": asked_of(study.protocol, occasion_of(trial)),
            # After a series there is nothing to see, and its last pair must not lie open as the series' own.
            "pixels": geometry(pair, {side: f"/read/pixels/{token}/{side}" for side in sides}) if sides else None,
            "answers": last.answers if last else None,
            "sequence": last.sequence if last else 0,
            "seconds": last.seconds if last else 0.0,
            "idle": last.idle_seconds if last else 0.0,
            "measures": last.measures if last else {},
            "saved_at": last.saved_at.isoformat() if last else None,
            "complete": bool(last and last.complete),
        } | ({"feedback": told} if trial.purpose == "training" else {})


def pixels(workspace: Workspace, account_id: int, session_id: int, token: str, side: str) -> bytes:
    """The exact pixels of one side (see `raw_pixels`) for a token made by `pixel_token` for this session.

    Raises ReadingRefused for a token of another session, another person's case or an unknown side.
    """
    trial_token = token[:-64]
    if side not in SIDES or not hmac.compare_digest(
        pixel_token(workspace, session_id, trial_token).encode(), token.encode()
    ):
        raise ReadingRefused("This image cannot be opened here. Load the case again.", 404, code="pixels")
    with workspace.session() as session:
        trial, _, _ = _trial(session, account_id, trial_token)
        if side not in sides_of(trial):
            raise ReadingRefused("This image cannot be opened here. Load the case again.", 404, code="pixels")
        pair = trial.pair
        key = pair.original_key if side == trial.original_side else pair.counterfactual_key
        size = (pair.width, pair.height, pair.max_value)
    return raw_pixels(workspace, key, *size)


def save_reading(
    workspace: Workspace,
    account_id: int,
    trial_token: str,
    sequence: int,
    answers: Mapping[str, Any],
    seconds: float,
    *,
    idle: float = 0.0,
    measures: Mapping[str, Any] | None = None,
) -> Saved:
    """Append the whole state of a case under its sequence number; committed when this returns.

    The same number with the same answers is an echo of what is stored, so a reader may resend until answered.
    Raises ReadingRefused: 409 for a number that is taken by other answers or lies below the last one (`details`
    hold the stored state), 404 or 410 for a case that is not this reader's, 423 for a closed study, 422 for
    answers that the protocol does not know.
    """
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 1 <= sequence < 2**31:
        raise ReadingRefused("The sequence number must be a whole number of 1 or more.", 422, code="unreadable")
    for time in (seconds, idle):
        if isinstance(time, bool) or not isinstance(time, int | float) or not 0 <= time <= MOST_SECONDS:
            message = "The reading time and the idle time must be in seconds, 0 or more."
            raise ReadingRefused(message, 422, code="unreadable")
    times = (float(seconds), float(idle))
    for attempt in range(8):
        try:
            return _save(workspace, account_id, trial_token, sequence, answers, times, measures or {})
        except IntegrityError:
            # Another writer took this number, or the place in the event log, between our look and our write.
            if attempt == 7:
                raise
    raise AssertionError("unreachable")


def _save(
    workspace: Workspace,
    account_id: int,
    trial_token: str,
    sequence: int,
    answers: Mapping[str, Any],
    times: tuple[float, float],
    measures: Mapping[str, Any],
) -> Saved:
    with workspace.session() as session:
        trial, reader, study = _trial(session, account_id, trial_token)
        try:
            occasion, pair = occasion_of(trial), trial.pair
            clean = checked(answers, study.protocol, occasion, (pair.width, pair.height))
            lines = checked_measures(measures, pair.width, pair.height)
        except ValueError as error:
            raise ReadingRefused(str(error), 422, code="answers") from error
        # One look, so that no writer can come between "the same" and "a later one".
        taken = session.scalars(
            sa.select(Reading)
            .where(Reading.trial_id == trial.id, Reading.sequence >= sequence)
            .order_by(Reading.sequence)
        ).all()
        if taken and taken[0].sequence == sequence and (taken[0].answers, taken[0].measures) == (clean, lines):
            told = feedback(trial, clean, study.protocol) if taken[0].complete else []
            return Saved(sequence, taken[0].saved_at, taken[0].complete, tuple(told))
        if study.state != "locked":
            message = "This reading has been closed: answers are no longer taken. Thank you."
            raise ReadingRefused(message, 423, code="closed")
        if why := why_closed(session, trial, reader, study):
            raise ReadingRefused(why.text, 425, code=why.code, values=why.values)
        if taken:
            last = taken[-1]
            raise ReadingRefused(
                "This case has been answered elsewhere in the meantime.",
                409,
                code="elsewhere",
                sequence=last.sequence,
                answers=last.answers,
                seconds=last.seconds,
                idle=last.idle_seconds,
                measures=last.measures,
                saved_at=last.saved_at.isoformat(),
                complete=last.complete,
            )
        reading = Reading(
            trial_id=trial.id,
            sequence=sequence,
            answers=clean,
            complete=is_complete(clean, study.protocol, occasion),
            seconds=times[0],
            idle_seconds=times[1],
            measures=lines,
            saved_at=now(),
            version=study.version,
        )
        session.add(reading)
        session.flush()
        note_clock(session, reader, reading)
        whole = clean | ({"measures": lines} if lines else {})
        digest = sha256(json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
        record(session, reader.label, "reading saved", f"trial {trial.id}", sequence=sequence, sha256=digest)
        told = feedback(trial, clean, study.protocol) if reading.complete else []
    return Saved(reading.sequence, reading.saved_at, reading.complete, tuple(told))
