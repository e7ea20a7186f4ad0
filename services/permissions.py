"""Who may do what in a study. Asked by the services themselves, so that no page and no address gets around it."""

from __future__ import annotations

import re
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.models import Account, Rehearsal, StudyMember
from services.study_views import StudyRefused
from services.workspace import Workspace

Part = Literal["co-editor", "statistician", "monitor", "chair"]
Right = Literal["design", "readers", "results", "masked results", "progress", "adjudicate"]

# What each part may do. Researchers run the workspace and may do everything; readers have no part but to read.
RIGHTS: dict[str, frozenset[Right]] = {
    "co-editor": frozenset({"design", "readers", "results", "progress"}),
    "statistician": frozenset({"masked results", "progress"}),
    "monitor": frozenset({"progress"}),
    "chair": frozenset({"adjudicate"}),
}
EVERYTHING: frozenset[Right] = frozenset({"design", "readers", "results", "masked results", "progress", "adjudicate"})
WORDS: dict[Right, str] = {
    "design": "change this study or see its pairs and arms",
    "readers": "manage the readers of this study",
    "results": "see the results of this study",
    "masked results": "see the data of this study",
    "progress": "see how far this study is",
    "adjudicate": "decide on the disagreements of this study",
}


class NotAllowed(StudyRefused):
    """The person has no part in this study that would allow it."""


def parts_of(session: Session, account_id: int, study_id: int) -> frozenset[str]:
    """The parts that an account has in a study now; in a rehearsal those that it has in the study itself."""
    study_id = session.scalar(sa.select(Rehearsal.source_id).where(Rehearsal.study_id == study_id)) or study_id
    rows = session.scalars(
        sa.select(StudyMember.part).where(
            StudyMember.account_id == account_id, StudyMember.study_id == study_id, StudyMember.removed_at.is_(None)
        )
    )
    return frozenset(rows)


def rights_of(session: Session, account_id: int, study_id: int) -> frozenset[Right]:
    """Everything that an account may do in a study; nothing for a reader, an unknown or a closed account."""
    account = session.get(Account, account_id)
    if account is None or not account.active:
        return frozenset()
    if account.role == "researcher":
        return EVERYTHING
    if account.role != "colleague":
        return frozenset()
    parts = parts_of(session, account_id, study_id)
    return frozenset(right for part in parts for right in RIGHTS.get(part, ()))


def require(session: Session, who: int | str, study_id: int, right: Right) -> None:
    """Pass, or raise NotAllowed. `who` is an account's id, or an actor's name: "account 3" is that account, any other
    name ("command line", "demo") is a program on the server itself, which may do everything."""
    account_id = _account_id(who)
    if account_id is not None and right not in rights_of(session, account_id, study_id):
        raise NotAllowed(f"You may not {WORDS[right]}: ask a researcher for a part in it.")


def require_researcher(session: Session, who: int | str) -> None:
    """Pass, or raise NotAllowed for anybody but a researcher (or a program, as in `require`)."""
    account_id = _account_id(who)
    if account_id is None:
        return
    account = session.get(Account, account_id)
    if account is None or not account.active or account.role != "researcher":
        raise NotAllowed("This is open to researchers only: ask one of them.")


def may(workspace: Workspace, account_id: int, study_id: int, right: Right) -> bool:
    """Whether an account has a right in a study."""
    with workspace.session() as session:
        return right in rights_of(session, account_id, study_id)


def _account_id(who: int | str) -> int | None:
    if isinstance(who, int):
        return who
    found = re.fullmatch(r"account (\d+)", who)
    return int(found[1]) if found else None
