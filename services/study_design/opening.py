"""Which cases a reader may open now: practice first, second readings after the washout."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.models import Reading, Study, StudyReader, Trial, now
from services.study_design.training import practice


def washout_end(session: Session, trial: Trial, study: Study) -> datetime | None:
    """When a second reading opens, None where it is open by rule. Before the first reading there is no date yet: then
    the washout counts from now."""
    days = int((study.protocol.get("repeats") or {}).get("washout_days", 0))
    if trial.purpose != "repeat" or not days:
        return None
    first = session.scalar(
        sa.select(sa.func.max(Reading.saved_at))
        .join(Trial, Trial.id == Reading.trial_id)
        .where(
            Trial.study_reader_id == trial.study_reader_id,
            Trial.pair_id == trial.pair_id,
            Trial.purpose == "counted",
            Reading.complete,
        )
    )
    opens = (first or now()) + timedelta(days=days)
    return opens if opens > now() else None


def why_closed(session: Session, trial: Trial, reader: StudyReader, study: Study) -> str:
    """What to tell a reader who may not open a case yet, "" where he or she may. Names no purpose of the case."""
    if trial.purpose == "training":
        return ""
    if study.protocol.get("training"):
        stand = practice(session, reader, study)
        if stand.read < stand.cases:
            return f"Read the {stand.cases} practice cases first: {stand.read} are done."
        if not stand.passed:
            needed = f"{100 * stand.pass_mark:.0f} %"
            return (
                f"{stand.right} of {stand.asked} practice answers are right, {needed} are needed. Go back to the "
                "practice cases, look at the right answers, and answer again."
            )
    if opens := washout_end(session, trial, study):
        return f"The next cases open on {opens:%-d %B %Y}. Please come back then."
    return ""
