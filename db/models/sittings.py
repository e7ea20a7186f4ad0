"""What happened around the readings: the screen that a session began with, and how each case was looked at."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, now


class ScreenCheck(Base):
    """What a reader saw of the test pattern, and on which screen: append-only, one row a look.

    `seen`: {"dark", "bright", "ramp", "lines"} -> bool. `screen`: browser, sizes in CSS pixels, device pixel ratio.
    """

    __tablename__ = "screen_check"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_reader_id: Mapped[int] = mapped_column(ForeignKey("study_reader.id"), index=True)
    login_session_id: Mapped[int] = mapped_column(ForeignKey("login_session.id"))
    seen: Mapped[dict[str, Any]]
    screen: Mapped[dict[str, Any]]
    checked_at: Mapped[datetime] = mapped_column(default=now)


class ViewingEvent(Base):
    """One thing a reader did with the images of a case: append-only.

    `visit` is the browser's random name for one stay at the case, `number` counts within it, `seconds` is the time
    since the case came up. `kind` and `value`: see `services.viewing_log`.
    """

    __tablename__ = "viewing_event"
    __table_args__ = (UniqueConstraint("trial_id", "visit", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int] = mapped_column(ForeignKey("trial.id"))
    visit: Mapped[str]
    number: Mapped[int]
    kind: Mapped[str]
    value: Mapped[dict[str, Any]] = mapped_column(default=dict)
    seconds: Mapped[float]
    logged_at: Mapped[datetime] = mapped_column(default=now)
