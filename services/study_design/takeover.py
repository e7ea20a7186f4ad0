"""A drop-out's remaining cases go to a replacement, who reads them under a label of his or her own."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.study.schedule import Trial as Turn
from db.events import record
from db.models import Reading, Study, StudyReader, Trial, now
from services.study_design.planning import trials_of
from services.study_views import StudyRefused


def has_replacement(session: Session, reader: StudyReader) -> bool:
    """Whether somebody has taken over what this reader had left."""
    query = sa.select(StudyReader.id).where(
        StudyReader.study_id == reader.study_id, StudyReader.replaces == reader.label
    )
    return session.scalar(query) is not None


def take_over(session: Session, dropout: StudyReader, account_id: int, actor: str) -> StudyReader:
    """Give the cases that `dropout` has not completed to another account, in the session's transaction.

    The replacement reads them in the same order on the same sides, after all training cases. A second reading whose
    first one the drop-out has done is left out: nobody else can repeat it. The drop-out's invitation ends; answers
    that are complete stay his or hers.

    Raises StudyRefused where nothing is left, somebody has taken over already, or the account reads this study.
    """
    study = session.get_one(Study, dropout.study_id)
    if study.state != "locked":
        raise StudyRefused(f"The study is {study.state}: cases are taken over while it is open.")
    if has_replacement(session, dropout):
        raise StudyRefused(f"Somebody has taken over the cases of {dropout.label} already: choose that reader.")
    reads = sa.select(StudyReader.id).where(StudyReader.study_id == study.id, StudyReader.account_id == account_id)
    if session.scalar(reads) is not None:
        raise StudyRefused("This person reads the study already: a replacement must not have seen its cases.")
    done = set(
        session.scalars(
            sa.select(Trial.id)
            .join(Reading, Reading.trial_id == Trial.id)
            .where(Trial.study_reader_id == dropout.id, Reading.complete)
        )
    )
    own = list(session.scalars(sa.select(Trial).where(Trial.study_reader_id == dropout.id).order_by(Trial.position)))
    read_once = {trial.pair_id for trial in own if trial.id in done and trial.purpose == "counted"}
    left = [trial for trial in own if trial.id not in done and trial.purpose != "training"]
    if not any(trial.purpose in ("counted", "control") for trial in left):
        raise StudyRefused(f"{dropout.label} has read every case: nothing is left to take over.")
    given = [trial for trial in own if trial.purpose == "training"]
    given += [trial for trial in left if not (trial.purpose == "repeat" and trial.pair_id in read_once)]
    labels = set(session.scalars(sa.select(StudyReader.label).where(StudyReader.study_id == study.id)))
    label = next(f"R{i}" for i in range(1, len(labels) + 2) if f"R{i}" not in labels)
    reader = StudyReader(
        study_id=study.id, account_id=account_id, label=label, slot=dropout.slot, replaces=dropout.label
    )
    session.add(reader)
    session.flush()
    turns = [Turn(i, t.pair_id, t.original_side, t.purpose) for i, t in enumerate(given)]  # type: ignore[arg-type]
    session.add_all(trials_of(reader.id, turns))
    for trial in left:
        trial.taken_over = True
    dropout.revoked_at = dropout.revoked_at or now()
    record(
        session, actor, "cases taken over", f"study {study.id}", dropout=dropout.label, reader=label, cases=len(left)
    )
    session.flush()
    return reader
