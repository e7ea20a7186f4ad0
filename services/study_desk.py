"""The study desk: how far every reader is, seen by those who may see it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from statistics import median

import sqlalchemy as sa

from db.models import LoginSession, Reading, StudyReader, Trial
from services.permissions import require
from services.reader_profiles import ProfileView, reader_profiles
from services.study_links import LinkView, link_states
from services.study_views import ReaderView, study_view
from services.workspace import Workspace


@dataclass(frozen=True)
class DeskReader(ReaderView):
    """A reader as the desk shows one: progress, never an answer.

    Attributes:
        last_signed_in: None for never. median_seconds: per complete case, None before the first.
        link: the newest invitation link. profile: what the reader has told, None before the first case.
    """

    last_signed_in: datetime | None
    median_seconds: float | None
    link: LinkView
    profile: ProfileView | None

    @property
    def last_active(self) -> datetime | None:
        """The later of the last reading and the last sign-in."""
        return max((m for m in (self.last_saved, self.last_signed_in) if m is not None), default=None)


@dataclass(frozen=True)
class Desk:
    """A study's progress. `title` is the readers' neutral one: who may only see progress learns no arm from it."""

    study_id: int
    title: str
    state: str
    locked_at: datetime | None
    closed_at: datetime | None
    readers: tuple[DeskReader, ...]

    @property
    def done(self) -> int:
        return sum(reader.done for reader in self.readers)

    @property
    def total(self) -> int:
        return sum(reader.total for reader in self.readers)


def desk(workspace: Workspace, study_id: int, viewer: int | str) -> Desk:
    """How far a study is. `viewer`: an account's id or an actor's name, see `services.permissions.require`.

    Raises NotAllowed for a viewer without the right to see progress, StudyRefused where there is no such study.
    """
    with workspace.session() as session:
        require(session, viewer, study_id, "progress")
    view = study_view(workspace, study_id)
    profiles = reader_profiles(workspace, study_id)
    accounts = [reader.account_id for reader in view.readers]
    with workspace.session() as session:
        links = link_states(session, accounts)
        sessions = session.execute(
            sa.select(LoginSession.account_id, sa.func.max(LoginSession.created_at))
            .where(LoginSession.account_id.in_(accounts))
            .group_by(LoginSession.account_id)
        )
        signed_in = dict(sessions.tuples().all())
        seconds: dict[int, list[float]] = defaultdict(list)
        for reader_id, longest in session.execute(_seconds(study_id)).tuples():
            seconds[reader_id].append(longest)
    readers = tuple(
        DeskReader(
            **vars(reader),
            last_signed_in=signed_in.get(reader.account_id),
            median_seconds=median(seconds[reader.id]) if seconds[reader.id] else None,
            link=links[reader.account_id],
            profile=profiles.get(reader.label),
        )
        for reader in view.readers
    )
    return Desk(study_id, view.reader_title, view.state, view.locked_at, view.closed_at, readers)


def _seconds(study_id: int) -> sa.Select[int, float]:
    """(reader, seconds of a case): the time grows with every reading of a case, so the longest is the last."""
    return (
        sa.select(Trial.study_reader_id, sa.func.max(Reading.seconds))
        .join(Reading, Reading.trial_id == Trial.id)
        .join(StudyReader, StudyReader.id == Trial.study_reader_id)
        .where(StudyReader.study_id == study_id, Reading.complete)
        .group_by(Trial.study_reader_id, Trial.id)
    )
