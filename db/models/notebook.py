"""The notebook: an ordered, lasting record of what was tried and seen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, now


class Entry(Base):
    """A kept view. `view` is "explore", "run" or "results"; `settings` is enough to show it again; `picture_key`
    names a PNG of what was seen; `note` is Markdown."""

    __tablename__ = "entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[float]
    title: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    view: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    picture_key: Mapped[str | None]
    study_id: Mapped[int | None] = mapped_column(ForeignKey("study.id"))
    author: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
