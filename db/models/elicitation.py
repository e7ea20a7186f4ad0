"""Questions to use again, and the round in which readers propose what a study should ask."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .accounts import Account
from .base import Base, now


class QuestionTemplate(Base):
    """Questions under a name, to be used in any study: `content` holds "findings", "ratings", "questions" as in a
    protocol."""

    __tablename__ = "question_template"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    content: Mapped[dict[str, Any]]
    author: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class ElicitationRound(Base):
    """Readers propose findings, the researcher merges them, all confirm. `state`: "proposing", "confirming", "done".

    `asked` is what they are asked, in neutral words; `pair_ids` the pairs they are shown (none: the question as
    such). `checklist`: the merged findings as in a protocol; `digest` their SHA-256, which confirmations name.
    """

    __tablename__ = "elicitation_round"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), unique=True)
    state: Mapped[str] = mapped_column(default="proposing")
    asked: Mapped[str]
    pair_ids: Mapped[list[int]] = mapped_column(JSON, default=list)
    checklist: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    digest: Mapped[str | None]
    opened_at: Mapped[datetime] = mapped_column(default=now)
    done_at: Mapped[datetime | None]
    people: Mapped[list[ElicitationReader]] = relationship(back_populates="round", order_by="ElicitationReader.id")


class ElicitationReader(Base):
    """A reader in a round. `label` ("E1") is what the researcher's tables show; `token` the opaque name under which
    the browser asks for the round. `confirmed` is the digest of the checklist that was confirmed, `objection` what the
    reader wants changed instead."""

    __tablename__ = "elicitation_reader"
    __table_args__ = (UniqueConstraint("round_id", "account_id"), UniqueConstraint("token"))
    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("elicitation_round.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    label: Mapped[str]
    token: Mapped[str]
    invited_at: Mapped[datetime] = mapped_column(default=now)
    submitted_at: Mapped[datetime | None]
    confirmed: Mapped[str | None]
    objection: Mapped[str] = mapped_column(default="")
    answered_at: Mapped[datetime | None]
    round: Mapped[ElicitationRound] = relationship(back_populates="people")
    account: Mapped[Account] = relationship()
    proposals: Mapped[list[Proposal]] = relationship(back_populates="reader", order_by="Proposal.id")


class Proposal(Base):
    """A finding as one reader worded it, "main" or "secondary". `merged_into` is the key of the finding of the
    checklist that stands for it, or None while it is left out. `withdrawn_at`: the reader has taken it back."""

    __tablename__ = "proposal"
    id: Mapped[int] = mapped_column(primary_key=True)
    reader_id: Mapped[int] = mapped_column(ForeignKey("elicitation_reader.id"), index=True)
    label: Mapped[str]
    kind: Mapped[str]
    merged_into: Mapped[str | None]
    proposed_at: Mapped[datetime] = mapped_column(default=now)
    withdrawn_at: Mapped[datetime | None]
    reader: Mapped[ElicitationReader] = relationship(back_populates="proposals")
