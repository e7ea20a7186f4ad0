"""The log of changes of state: append-only, each row holds the hash of the one before."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, now


class Event(Base):
    """`kind` like "study locked"; `subject` like "study 3"; `hash` = SHA-256 over the canonical JSON of the row and
    `previous_hash`, so that a changed or removed row shows."""

    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)
    actor: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    previous_hash: Mapped[str] = mapped_column(unique=True)
    hash: Mapped[str] = mapped_column(unique=True)
