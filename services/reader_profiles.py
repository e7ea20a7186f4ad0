"""What readers say about themselves before their first case, as GRRAS asks a report to tell (items 4 and 7)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.events import record
from db.models import ReaderProfile, Study, StudyDesk, StudyReader
from services.permissions import require
from services.study_views import StudyRefused
from services.workspace import Workspace

# The usual wording; readers get it in their own language (routes/texts).
CONSENT = (
    "I take part of my own free will. My answers are stored under a reader number, analysed and published without my "
    "name. I may stop at any time; what I have read until then is kept."
)
LONGEST = 200
MOST_YEARS = 70


class ProfileRefused(ValueError):
    """What was entered cannot be a profile; the message tells the remedy, `field` is where."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class DeskSettings:
    """How a study asks its readers. `consent_text` (empty: the usual wording, in each reader's language) and
    `ethics_number` are shown to them."""

    ask_profile: bool = False
    consent_text: str = ""
    ethics_number: str = ""
    unblinded_at: datetime | None = None


@dataclass(frozen=True)
class ProfileView:
    """A reader's profile as it stands. years: of experience with such images. consented_at: when the reader agreed to
    `consent_text`."""

    reader: str
    specialty: str
    years: float
    ethics_number: str
    consent_text: str
    consented_at: datetime


def desk_settings(workspace: Workspace, study_id: int) -> DeskSettings:
    """How the study asks; a study that was designed before there were profiles asks nothing."""
    with workspace.session() as session:
        return settings_of(session, study_id)


def settings_of(session: Session, study_id: int) -> DeskSettings:
    """`desk_settings` within a session."""
    row = session.scalar(sa.select(StudyDesk).where(StudyDesk.study_id == study_id))
    if row is None:
        return DeskSettings()
    return DeskSettings(row.ask_profile, row.consent_text, row.ethics_number, row.unblinded_at)


def set_desk(
    workspace: Workspace,
    study_id: int,
    *,
    actor: str,
    ask_profile: bool = True,
    consent_text: str = "",
    ethics_number: str = "",
) -> None:
    """Set what readers are asked before their first case; no `consent_text` is the usual wording. Logged; profiles
    given before keep their wording."""
    consent_text = consent_text.strip()
    if len(consent_text) > 10_000 or len(ethics_number) > LONGEST:
        raise StudyRefused(f"Keep the consent within 10,000 and the ethics number within {LONGEST} characters.")
    with workspace.session() as session:
        require(session, actor, study_id, "readers")
        if session.get(Study, study_id) is None:
            raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
        row = desk_row(session, study_id)
        row.ask_profile, row.consent_text, row.ethics_number = ask_profile, consent_text, ethics_number.strip()
        record(session, actor, "desk set", f"study {study_id}", ask_profile=ask_profile, ethics=ethics_number.strip())


def desk_row(session: Session, study_id: int) -> StudyDesk:
    """The study's row, made where there is none."""
    row = session.scalar(sa.select(StudyDesk).where(StudyDesk.study_id == study_id))
    if row is None:
        row = StudyDesk(study_id=study_id, ask_profile=False)
        session.add(row)
        session.flush()
    return row


def copy_desk(session: Session, study_id: int, copy_id: int) -> None:
    """Let a copied study ask its readers as the first one does."""
    settings = settings_of(session, study_id)
    if settings.ask_profile:
        row = desk_row(session, copy_id)
        row.ask_profile, row.consent_text, row.ethics_number = True, settings.consent_text, settings.ethics_number


def is_missing(session: Session, reader: StudyReader) -> bool:
    """Whether this reader must give a profile before the next case."""
    if reader.simulated or not settings_of(session, reader.study_id).ask_profile:
        return False
    return session.scalar(_newest(reader.id)) is None


def _newest(study_reader_id: int) -> sa.Select[ReaderProfile]:
    return (
        sa.select(ReaderProfile)
        .where(ReaderProfile.study_reader_id == study_reader_id)
        .order_by(ReaderProfile.id.desc())
        .limit(1)
    )


def save_profile(
    workspace: Workspace, study_reader_id: int, entered: dict[str, Any], usual_consent: str = CONSENT
) -> None:
    """Store what a reader entered: specialty, years, ethics_number (the study's where empty), consent (True), and the
    text that was agreed to: the study's own, else `usual_consent` as the reader saw it.

    Raises ProfileRefused naming the field: no specialty, years that are no number from 0 to 70, no consent.
    """
    specialty = str(entered.get("specialty") or "").strip()
    if not specialty or len(specialty) > LONGEST:
        raise ProfileRefused("specialty", f"Enter your specialty, in at most {LONGEST} characters.")
    ethics = str(entered.get("ethics_number") or "").strip()
    if len(ethics) > LONGEST:
        raise ProfileRefused("ethics_number", f"Shorten the ethics number to at most {LONGEST} characters.")
    years = _years(entered.get("years"))
    if entered.get("consent") is not True:
        raise ProfileRefused("consent", "Tick that you agree: without your consent no case is shown.")
    if not all(text.isprintable() for text in (specialty, ethics)):
        raise ProfileRefused(
            "text", "Specialty and ethics number hold a character that cannot be stored: type them again."
        )
    with workspace.session() as session:
        reader = session.get_one(StudyReader, study_reader_id)
        settings = settings_of(session, reader.study_id)
        session.add(
            ReaderProfile(
                study_reader_id=reader.id,
                specialty=specialty,
                years=years,
                ethics_number=ethics or settings.ethics_number,
                consent_text=settings.consent_text or usual_consent,
            )
        )
        # Who a reader is stays in the workspace's table, the log holds only that it was told.
        record(session, reader.label, "profile given", f"study {reader.study_id}", reader=reader.label)


def _years(value: Any) -> float:
    try:
        years = float(str(value).strip().replace(",", "."))
    except ValueError:
        years = math.nan
    if not 0 <= years <= MOST_YEARS:
        message = f"Enter your years of experience as a number from 0 to {MOST_YEARS}, such as 7 or 0.5."
        raise ProfileRefused("years", message)
    return years


def reader_profiles(workspace: Workspace, study_id: int) -> dict[str, ProfileView]:
    """The newest profile of every reader who has given one, by reader label, in the readers' order."""
    with workspace.session() as session:
        rows = session.execute(
            sa.select(StudyReader.label, ReaderProfile)
            .join(ReaderProfile, ReaderProfile.study_reader_id == StudyReader.id)
            .where(StudyReader.study_id == study_id)
            .order_by(StudyReader.id, ReaderProfile.id)
        )
        return {
            label: ProfileView(label, row.specialty, row.years, row.ethics_number, row.consent_text, row.consented_at)
            for label, row in rows
        }
