"""Taking a rehearsal out of the database as a whole: the copied study and everything that hangs on it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.events import record
from db.models import Base, Rehearsal, Study


def is_rehearsal(study_id_column: Any) -> sa.ColumnElement[bool]:
    """An SQL condition: the study is the copy that a rehearsal has read."""
    return study_id_column.in_(sa.select(Rehearsal.study_id))


def remove_copies(session: Session, source_id: int, actor: str) -> int:
    """Remove every rehearsal of a study, e.g. because its pairs change; returns how many there were."""
    copies = list(session.scalars(sa.select(Rehearsal.study_id).where(Rehearsal.source_id == source_id)))
    for study_id in copies:
        remove_copy(session, study_id, actor)
    return len(copies)


def remove_copy(session: Session, study_id: int, actor: str) -> None:
    """Remove the copied study `study_id`: rows that belong to it go, rows that only mention it (a notebook entry)
    forget it. Pictures stay, they are those of the study that was copied. Raises ValueError for a study of people."""
    rehearsal = session.scalar(sa.select(Rehearsal).where(Rehearsal.study_id == study_id))
    if rehearsal is None:
        raise ValueError(f"Study {study_id} is no rehearsal and is not removed.")
    source = rehearsal.source_id
    remove_study(session, study_id)
    record(session, actor, "rehearsal removed", f"study {source}", rehearsal=study_id)


def remove_study(session: Session, study_id: int) -> None:
    """Remove a study and every row that belongs to it. For copies and drafts: the caller has made sure that it is
    none that people have read."""
    session.flush()
    _remove(session, Study.__table__, [study_id])  # type: ignore[arg-type]
    session.expire_all()


def _remove(session: Session, table: sa.Table, ids: list[int]) -> None:
    """Delete rows of `table` after what points to them, found through the foreign keys: also in tables that are
    younger than this function."""
    if not ids:
        return
    for other in Base.metadata.tables.values():
        for key in other.foreign_keys:
            if key.column.table is not table:
                continue
            mine = key.parent.in_(ids)
            if key.parent.nullable:
                session.execute(sa.update(other).where(mine).values({key.parent.name: None}))
            else:
                _remove(session, other, list(session.scalars(sa.select(other.c.id).where(mine))))
    session.execute(sa.delete(table).where(table.c.id.in_(ids)))
