"""A server's clock that went backwards: noted, and never trusted for the order of answers."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.events import record
from db.models import Event, Reading, Study, StudyReader, Trial, now


def span(seconds: float) -> str:
    """A length of time in words: "40 seconds", "5 minutes", "3 hours"."""
    if seconds >= 7200:
        return f"{seconds / 3600:.0f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


def clock_problems(session: Session, study: Study) -> list[str]:
    """Why a study cannot be locked now: the clock stands before times that are already written."""
    latest = session.scalar(sa.select(sa.func.max(Event.at)))
    times = [moment for moment in (study.created_at, latest) if moment is not None]
    at = now()
    if not times or max(times) <= at:
        return []
    behind = span((max(times) - at).total_seconds())
    return [f"The server's clock went back: it stands {behind} before the last entry of the log. Set it right first."]


def note_clock(session: Session, reader: StudyReader, reading: Reading) -> None:
    """Log an answer whose time lies before the reader's last one. It is kept: the order is that of the sequence."""
    last = session.scalar(
        sa.select(sa.func.max(Reading.saved_at))
        .join(Trial, Trial.id == Reading.trial_id)
        .where(Trial.study_reader_id == reader.id, Reading.id < reading.id)
    )
    if last is not None and last > reading.saved_at:
        seconds = round((last - reading.saved_at).total_seconds(), 1)
        record(session, reader.label, "clock went backwards", f"study {reader.study_id}", seconds=seconds)


def clock_notes(session: Session, study_id: int) -> tuple[str, ...]:
    """What page and report say of answers whose time lies before that of earlier ones."""
    query = sa.select(Event).where(Event.kind == "clock went backwards", Event.subject == f"study {study_id}")
    steps = [(event.actor, float(event.data.get("seconds", 0))) for event in session.scalars(query)]
    if not steps:
        return ()
    readers = ", ".join(sorted({reader for reader, _ in steps}))
    return (
        f"The server's clock went back by up to {span(max(s for _, s in steps))} while {readers} read "
        f"({len(steps)} answers). The answers count in the order in which they were given; their times do not.",
    )
