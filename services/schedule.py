"""Giving a reader the next planned schedule of a study."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.events import record
from db.models import Pair, Study, StudyReader
from services.study_design.planning import free_slot, trials_of, turns_of


def write_trials(session: Session, study: Study, account_id: int, simulated: bool = False) -> StudyReader:
    """Add the reader under the next free label ("R1", "R2", ...) with all trials, in the session's transaction.

    The trials are those of the lowest free slot of the plan; a reader beyond the plan gets a schedule drawn in the same
    way from seed and slot, which the log notes. Raises ValueError for a study without pairs, or where the design has
    no cases for one more reader.
    """
    if session.scalar(sa.select(sa.func.count(Pair.id)).where(Pair.study_id == study.id)) == 0:
        raise ValueError("The study has no pairs: make them before inviting readers.")
    labels = set(session.scalars(sa.select(StudyReader.label).where(StudyReader.study_id == study.id)))
    slot = free_slot(session, study.id)
    turns = turns_of(session, study, slot)
    label = next(f"R{i}" for i in range(1, len(labels) + 2) if f"R{i}" not in labels)
    reader = StudyReader(study_id=study.id, account_id=account_id, label=label, simulated=simulated, slot=slot)
    session.add(reader)
    session.flush()
    session.add_all(trials_of(reader.id, turns))
    session.flush()
    if 0 < int(study.protocol.get("design", {}).get("readers", 0)) < slot:
        record(session, label, "reader beyond the plan", f"study {study.id}", slot=slot)
    return reader
