"""What is held to be true, and what a chair decided where readers differ."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, now
from .studies import Pair


class ReferenceAnswer(Base):
    """Whether a finding is there in a real image: append-only, the newest row of (image, finding) counts. `present`
    is None where an earlier answer was taken back. `source`: "table", "page", "labels" or "phantom"."""

    __tablename__ = "reference_answer"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    finding: Mapped[str]
    present: Mapped[bool | None]
    source: Mapped[str]
    author: Mapped[str]
    set_at: Mapped[datetime] = mapped_column(default=now)


class DisputedCase(Base):
    """A pair whose readers differ on a finding, as the chair meets it: own place, own side, own opaque name."""

    __tablename__ = "disputed_case"
    __table_args__ = (UniqueConstraint("study_id", "pair_id"), UniqueConstraint("token"))
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    pair_id: Mapped[int] = mapped_column(ForeignKey("pair.id"))
    position: Mapped[int]
    original_side: Mapped[str]
    token: Mapped[str]
    pair: Mapped[Pair] = relationship()
    decisions: Mapped[list[Decision]] = relationship(back_populates="case", order_by="Decision.sequence")


class Decision(Base):
    """The chair's whole answer to a disputed case: append-only, the highest sequence counts. `answers`: finding key ->
    answer in the chair's sides, like a reader's; `complete` where every disputed finding is decided, with a reason."""

    __tablename__ = "adjudication"
    __table_args__ = (UniqueConstraint("case_id", "sequence"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("disputed_case.id"))
    sequence: Mapped[int]
    answers: Mapped[dict[str, Any]]
    reason: Mapped[str]
    complete: Mapped[bool]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    decided_at: Mapped[datetime] = mapped_column(default=now)
    case: Mapped[DisputedCase] = relationship(back_populates="decisions")
