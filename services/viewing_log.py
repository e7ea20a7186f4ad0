"""How readers look at a case: window, zoom, views, flicker, magnifier, measuring; append-only."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.models import StudyReader, Trial, ViewingEvent, now
from services.workspace import Workspace

KINDS = frozenset(
    (
        "shown", "left", "window", "zoom", "view", "flicker", "swipe", "magnifier", "exact", "link", "reset", "measure",
        "undo", "away", "back", "taken",
    )
)  # fmt: skip
MOST_AT_ONCE = 500
MOST_A_TRIAL = 20_000
LONGEST_VISIT = 7 * 24 * 3600.0
_VISIT = re.compile(r"[0-9a-f]{16}")
_NAME = re.compile(r"[a-z_]{1,20}")


class LogRefused(ValueError):
    """Events that cannot be kept; the message names the first one's fault."""


@dataclass(frozen=True)
class Looked:
    """One thing that a reader did: `seconds` since the case `position` (from 0) came up in this `visit`."""

    reader: str
    position: int
    visit: str
    number: int
    kind: str
    value: dict[str, Any]
    seconds: float


def add_events(session: Session, trial_id: int, visit: Any, events: Any) -> None:
    """Append the events of one visit; those that are there already (a resend) are passed over.

    Args:
        visit: 16 hex digits that the browser drew for this stay at the case.
        events: up to MOST_AT_ONCE of {"number", "kind", "value", "seconds"}.

    Raises LogRefused for another shape, an unknown kind, or more than MOST_A_TRIAL events of one trial.
    """
    if not isinstance(visit, str) or not _VISIT.fullmatch(visit):
        raise LogRefused("The visit must be 16 hex digits.")
    if not isinstance(events, Sequence) or isinstance(events, str) or len(events) > MOST_AT_ONCE:
        raise LogRefused(f"The events must be a list of at most {MOST_AT_ONCE}.")
    clean = [_checked(event) for event in events]
    stored = session.scalar(sa.select(sa.func.count(ViewingEvent.id)).where(ViewingEvent.trial_id == trial_id)) or 0
    if stored + len(clean) > MOST_A_TRIAL:
        raise LogRefused(f"This case holds {stored} events: at most {MOST_A_TRIAL} are kept.")
    known = set(
        session.scalars(
            sa.select(ViewingEvent.number).where(ViewingEvent.trial_id == trial_id, ViewingEvent.visit == visit)
        )
    )
    for event in clean:
        if event["number"] not in known:
            known.add(event["number"])
            session.add(ViewingEvent(trial_id=trial_id, visit=visit, logged_at=now(), **event))


def viewing_log(workspace: Workspace, study_id: int) -> list[Looked]:
    """Everything that readers of a study did with the images, by reader, case, visit and number."""
    with workspace.session() as session:
        rows = session.execute(
            sa.select(StudyReader.label, Trial.position, ViewingEvent)
            .join(Trial, Trial.study_reader_id == StudyReader.id)
            .join(ViewingEvent, ViewingEvent.trial_id == Trial.id)
            .where(StudyReader.study_id == study_id)
            .order_by(StudyReader.id, Trial.position, ViewingEvent.id)
        )
        return [
            Looked(label, position, e.visit, e.number, e.kind, dict(e.value), e.seconds) for label, position, e in rows
        ]


def _number(value: Any, least: float, most: float) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and least <= value <= most


def _plain(value: Any) -> bool:
    if isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return math.isfinite(value) and abs(value) < 1e9
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z_-]{1,20}", value) is not None


def _checked(event: Any) -> dict[str, Any]:
    if not isinstance(event, Mapping) or set(event) != {"number", "kind", "value", "seconds"}:
        raise LogRefused("An event must have number, kind, value and seconds.")
    number, kind, value, seconds = (event[name] for name in ("number", "kind", "value", "seconds"))
    if kind not in KINDS:
        raise LogRefused(f"“{kind}” is no kind of event: use {', '.join(sorted(KINDS))}.")
    if not isinstance(number, int) or not _number(number, 1, 2**31 - 1):
        raise LogRefused(f"The number of a “{kind}” event must be a whole number of 1 or more.")
    if not _number(seconds, 0, LONGEST_VISIT):
        raise LogRefused(f"The seconds of a “{kind}” event must be 0 or more.")
    fits = isinstance(value, Mapping) and len(value) <= 8
    if not fits or not all(isinstance(k, str) and _NAME.fullmatch(k) and _plain(v) for k, v in value.items()):
        raise LogRefused(f"The value of a “{kind}” event must be a few numbers, flags or short names.")
    return {"number": number, "kind": kind, "value": dict(value), "seconds": round(float(seconds), 2)}
