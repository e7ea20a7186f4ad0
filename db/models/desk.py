"""The study desk: who may do what in one study, what readers tell about themselves, rehearsals."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .accounts import Account
from .base import Base, now
from .studies import StudyReader


class StudyMember(Base):
    """A part that an account has in one study beside reading it: `part` is "co-editor", "statistician", "monitor" or
    "chair". A part that was taken away keeps its row, with `removed_at`."""

    __tablename__ = "study_member"
    __table_args__ = (UniqueConstraint("study_id", "account_id", "part"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    part: Mapped[str]
    added_at: Mapped[datetime] = mapped_column(default=now)
    removed_at: Mapped[datetime | None]
    account: Mapped[Account] = relationship()


class StudyDesk(Base):
    """How a study is run. `ask_profile`: a reader says who he or she is before the first case. `unblinded_at`: since
    when the statistician sees the names of the arms. A study without a row asks nothing."""

    __tablename__ = "study_desk"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), unique=True)
    ask_profile: Mapped[bool] = mapped_column(default=True)
    consent_text: Mapped[str] = mapped_column(default="")
    ethics_number: Mapped[str] = mapped_column(default="")
    unblinded_at: Mapped[datetime | None]


class ReaderProfile(Base):
    """What a reader has told about himself or herself (GRRAS items 4 and 7): append-only, the newest counts.
    `consent_text` is the wording that was agreed to, `consented_at` when."""

    __tablename__ = "reader_profile"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_reader_id: Mapped[int] = mapped_column(ForeignKey("study_reader.id"), index=True)
    specialty: Mapped[str]
    years: Mapped[float]
    ethics_number: Mapped[str]
    consent_text: Mapped[str]
    consented_at: Mapped[datetime] = mapped_column(default=now)
    study_reader: Mapped[StudyReader] = relationship()


class Rehearsal(Base):
    """`study_id` is a copy of the study `source_id` that simulated readers have read; `settings` says how they read
    and what was there to be seen. It is removed as a whole."""

    __tablename__ = "rehearsal"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), unique=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)
