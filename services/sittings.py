"""The screen that a reader sits at: what was seen of the test pattern before the first case of a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.events import record
from db.models import ScreenCheck, StudyReader, now
from services.workspace import Workspace

# The two patches differ by 5 % of full scale from the square they lie in, like the squares of AAPM TG18-QC.
SEEN = ("dark", "bright", "ramp", "lines")
SIZES = ("width", "height", "inner_width", "inner_height", "colour_bits")
LARGEST = 100_000
LONGEST_BROWSER = 400


class CheckRefused(ValueError):
    """A screen check that cannot be kept; the message names the part."""


@dataclass(frozen=True)
class Screen:
    """One look at the test pattern. `reader`: label such as "R1"; `seen`: SEEN -> whether it was seen as it should be;
    `screen`: browser, ratio (device pixels per CSS pixel) and SIZES in CSS pixels."""

    reader: str
    seen: dict[str, bool]
    screen: dict[str, Any]
    checked_at: datetime

    @property
    def passed(self) -> bool:
        return all(self.seen.values())


def check_needed(session: Session, study_reader_id: int, login_session_id: int) -> bool:
    """Whether this signed-in session has not looked at the pattern yet, for this study."""
    found = session.scalar(
        sa.select(ScreenCheck.id)
        .where(ScreenCheck.study_reader_id == study_reader_id, ScreenCheck.login_session_id == login_session_id)
        .limit(1)
    )
    return found is None


def add_check(
    session: Session, reader: StudyReader, login_session_id: int, seen: Mapping[str, Any], screen: Mapping[str, Any]
) -> None:
    """Append what a reader saw. Raises CheckRefused for anything but SEEN as booleans and a screen as in `Screen`."""
    session.add(
        ScreenCheck(
            study_reader_id=reader.id,
            login_session_id=login_session_id,
            seen=_seen(seen),
            screen=_screen(screen),
            checked_at=now(),
        )
    )
    record(session, reader.label, "screen checked", f"study {reader.study_id}", passed=all(seen.values()))


def screens(workspace: Workspace, study_id: int) -> list[Screen]:
    """Every look at the pattern in a study, oldest first."""
    with workspace.session() as session:
        rows = session.execute(
            sa.select(StudyReader.label, ScreenCheck)
            .join(ScreenCheck, ScreenCheck.study_reader_id == StudyReader.id)
            .where(StudyReader.study_id == study_id)
            .order_by(ScreenCheck.id)
        )
        return [Screen(label, dict(row.seen), dict(row.screen), row.checked_at) for label, row in rows]


def _seen(seen: Any) -> dict[str, bool]:
    if not isinstance(seen, Mapping) or set(seen) != set(SEEN) or not all(isinstance(v, bool) for v in seen.values()):
        raise CheckRefused(f"What was seen must be {', '.join(SEEN)}, each true or false.")
    return {name: seen[name] for name in SEEN}


def _screen(screen: Any) -> dict[str, Any]:
    if not isinstance(screen, Mapping) or set(screen) != {"browser", "ratio", *SIZES}:
        raise CheckRefused(f"The screen must be told as browser, ratio, {', '.join(SIZES)}.")
    for name in ("ratio", *SIZES):
        value = screen[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
            raise CheckRefused(f"The screen's {name} must be a number from 0 to {LARGEST}.")
    if not isinstance(screen["browser"], str):
        raise CheckRefused("The screen's browser must be a text.")
    browser = "".join(c for c in screen["browser"] if c.isprintable())[:LONGEST_BROWSER]
    return {"browser": browser, "ratio": screen["ratio"], **{name: screen[name] for name in SIZES}}
