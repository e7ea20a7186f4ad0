"""Looks at the results of a study that is still open: planned ones, and others, which make what follows exploratory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.study.protocol import Protocol
from db.models import Event, Reading, Study, StudyReader, Trial
from services.log import log_event
from services.permissions import require
from services.study_views import StudyRefused, protocol_of
from services.workspace import Workspace

KIND = "results looked at"
LEAST_REASON = 10


class ResultsSealed(StudyRefused):
    """The study is open: nothing but its progress may be shown."""


@dataclass(frozen=True)
class Look:
    """A look that was taken. `planned`: its number among the planned looks (1, 2, ...), None for any other.
    `last_reading`: id of the newest reading that it saw; `share` of the planned first readings, in [0, 1]."""

    planned: int | None
    at: datetime
    actor: str
    reason: str
    last_reading: int
    readings: int
    share: float


@dataclass(frozen=True)
class LookState:
    """Where an open study stands. `plan`: shares of the readings at which looks are planned, ascending. `due`: number
    of the planned look that may be taken now, None before it is reached or after the last."""

    plan: tuple[float, ...]
    taken: tuple[Look, ...]
    readings: int
    total: int
    due: int | None

    @property
    def share(self) -> float:
        return self.readings / self.total if self.total else 0.0

    @property
    def unplanned(self) -> tuple[Look, ...]:
        return tuple(look for look in self.taken if look.planned is None)


def planned_looks(protocol: Protocol) -> tuple[float, ...]:
    """Shares of the readings at which the protocol plans an interim look, ascending, all below 1; () for none."""
    analysis = getattr(protocol, "analysis", None)
    looks = getattr(analysis, "looks", None) or ()
    return tuple(sorted(float(share) for share in looks if 0 < float(share) < 1))


def look_state(workspace: Workspace, study_id: int) -> LookState:
    """Plan, looks taken and progress of a study. Raises StudyRefused where there is no such study."""
    with workspace.session() as session:
        return _state(session, study_id)


def _state(session: Session, study_id: int) -> LookState:
    study = session.get(Study, study_id)
    if study is None:
        raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
    plan = planned_looks(protocol_of(study))
    events = session.scalars(
        sa.select(Event).where(Event.kind == KIND, Event.subject == f"study {study_id}").order_by(Event.id)
    )
    taken = tuple(_look(event) for event in events)
    readings, total, _ = _progress(session, study_id)
    passed = len({look.planned for look in taken if look.planned is not None})
    reached = passed < len(plan) and total > 0 and readings / total >= plan[passed]
    return LookState(plan, taken, readings, total, passed + 1 if reached and study.state == "locked" else None)


def take_look(workspace: Workspace, study_id: int, *, actor: str, reason: str = "") -> Look:
    """Open the results of a running study as they stand now, and log that.

    The planned look that is due is taken where there is one; any other needs a reason and makes later p values
    exploratory for good.

    Raises StudyRefused: the study is not open, nothing is read yet, or the reason is missing.
    """
    with workspace.session() as session:
        require(session, actor, study_id, "results")
        study = session.get(Study, study_id)
        state = _state(session, study_id)
        readings, total, newest = _progress(session, study_id)
        if study is None or study.state == "draft":
            raise StudyRefused("The study is a draft: there is nothing to look at before it is locked and read.")
        if study.state == "closed":
            raise StudyRefused("The study is closed: its results are open to everybody, no look is needed.")
    if not readings:
        raise StudyRefused("Nothing is read yet: a look would show nothing and still count.")
    reason = " ".join(reason.split())
    if state.due is None and len(reason) < LEAST_REASON:
        raise StudyRefused(
            f"No planned look is due. Say in at least {LEAST_REASON} characters why you look all the same: the reason "
            "goes into the report, and later p values are called exploratory."
        )
    data = {"planned": state.due, "reason": reason, "last_reading": newest, "readings": readings, "of": total}
    log_event(workspace, actor, KIND, f"study {study_id}", **data)
    return look_state(workspace, study_id).taken[-1]


def _look(event: Event) -> Look:
    data = event.data
    share = data["readings"] / data["of"] if data.get("of") else 0.0
    return Look(
        data.get("planned"),
        event.at,
        event.actor,
        data.get("reason", ""),
        data["last_reading"],
        data["readings"],
        share,
    )


def _progress(session: Session, study_id: int) -> tuple[int, int, int]:
    """First readings done, planned, and the id of the newest reading of the study (of any trial)."""
    done = sa.func.count(sa.distinct(sa.case((Reading.complete, Trial.id))))
    own = (
        sa.select(done, sa.func.count(sa.distinct(Trial.id)))
        .select_from(Trial)
        .join(StudyReader, StudyReader.id == Trial.study_reader_id)
        .outerjoin(Reading, Reading.trial_id == Trial.id)
        .where(StudyReader.study_id == study_id, Trial.purpose == "counted", sa.not_(Trial.taken_over))
    )
    newest = (
        sa.select(sa.func.max(Reading.id))
        .join(Trial, Trial.id == Reading.trial_id)
        .join(StudyReader, StudyReader.id == Trial.study_reader_id)
        .where(StudyReader.study_id == study_id)
    )
    readings, total = session.execute(own).one()
    return int(readings or 0), int(total or 0), int(session.scalar(newest) or 0)
