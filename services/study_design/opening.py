"""Which cases a reader may open now: practice first, second readings after the washout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.models import Reading, Study, StudyReader, Trial, now
from services.study_design.training import practice


@dataclass(frozen=True)
class NotYet:
    """Why a case is not open: `text` in English; `code` and `values` for the reader's own language."""

    code: str
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


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


def why_closed(session: Session, trial: Trial, reader: StudyReader, study: Study) -> NotYet | None:
    """What to tell a reader who may not open a case yet, None where he or she may. Names no purpose of the case."""
    if trial.purpose == "training":
        return None
    if study.protocol.get("training"):
        stand = practice(session, reader, study)
        if stand.read < stand.cases:
            said = f"Practice cases come first: {stand.read} of {stand.cases} are done."
            return NotYet("practice", said, {"read": stand.read, "cases": stand.cases})
        if not stand.passed:
            needed = round(100 * stand.pass_mark)
            said = (
                f"{stand.right} of {stand.asked} practice answers are right, {needed} % are needed. Go back to the "
                "practice cases, look at the right answers, and answer again."
            )
            return NotYet("pass_mark", said, {"right": stand.right, "asked": stand.asked, "needed": needed})
    if opens := washout_end(session, trial, study):
        said = f"The next cases open on {opens:%-d %B %Y}. Please come back then."
        return NotYet("opens_on", said, {"day": f"{opens:%Y-%m-%d}"})
    return None
