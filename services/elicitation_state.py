"""What an elicitation round means for the rest of a study: no lock before it is done, no word that unblinds."""

from __future__ import annotations

import dataclasses
import re

import sqlalchemy as sa
from sqlalchemy.orm import Session, object_session

from cfcore.study.protocol import Protocol
from db.models import ElicitationRound, Study


def round_of(session: Session, study_id: int) -> ElicitationRound | None:
    """The round of a study, if it has one."""
    return session.scalar(sa.select(ElicitationRound).where(ElicitationRound.study_id == study_id))


def round_problems(study: Study, protocol: Protocol) -> list[str]:
    """Why the round keeps the study from being locked: it is not done, or its list has been changed since."""
    session = object_session(study)
    found = round_of(session, study.id) if session is not None else None
    if found is None:
        return []
    if found.state != "done":
        return ["The elicitation round is not done: all its readers confirm the list first, or end it without."]
    if [dataclasses.asdict(finding) for finding in protocol.findings] != found.checklist:
        return ["The findings differ from the list that the elicitation round confirmed: restore it or end the round."]
    return []


def delete_round(session: Session, study_id: int) -> None:
    """Remove the round of a study with everything in it, in the session's transaction; nothing where there is none."""
    found = round_of(session, study_id)
    if found is None:
        return
    for person in list(found.people):
        for proposal in list(person.proposals):
            session.delete(proposal)
        session.flush()
        session.delete(person)
    session.flush()
    session.delete(found)
    session.flush()


def blinding_problem(text: str, protocol: Protocol) -> str:
    """Why readers must not see this text: it names an arm. Empty where they may."""
    for arm in protocol.arms:
        for name in {arm.key.casefold().strip(), arm.name.casefold().strip()} - {""}:
            if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text.casefold()):
                return f"“{text}” names the arm “{arm.name}”, which breaks the blinding: leave it out."
    return ""
