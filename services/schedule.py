"""Writing a reader's schedule into the database."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.study.schedule import make_schedule
from db.models import Pair, Study, StudyReader, Trial


def write_trials(session: Session, study: Study, account_id: int, simulated: bool = False) -> StudyReader:
    """Add the reader under the next free label ("R1", "R2", ...) with all trials, in the session's transaction.

    Order and sides follow from the study's seed and the label alone. Raises ValueError for a study without pairs.
    """
    pairs = list(session.scalars(sa.select(Pair).where(Pair.study_id == study.id).order_by(Pair.id)))
    if not pairs:
        raise ValueError("The study has no pairs: make them before inviting readers.")
    taken = session.scalar(sa.select(sa.func.count(StudyReader.id)).where(StudyReader.study_id == study.id))
    reader = StudyReader(study_id=study.id, account_id=account_id, label=f"R{(taken or 0) + 1}", simulated=simulated)
    session.add(reader)
    session.flush()
    trials = make_schedule(
        [pair.id for pair in pairs],
        reader.label,
        study.seed,
        arms={pair.id: pair.arm for pair in pairs},
        patients={pair.id: pair.patient for pair in pairs},
    )
    session.add_all(
        Trial(
            study_reader_id=reader.id,
            pair_id=int(trial.pair_id),
            position=trial.position,
            original_side=trial.original_side,
            token=secrets.token_hex(16),
        )
        for trial in trials
    )
    session.flush()
    return reader
