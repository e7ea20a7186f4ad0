"""People with a part in one study: co-editor, blinded statistician, monitor, chair of the adjudication."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import get_args

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from db.events import record
from db.models import Account, Study, StudyMember, StudyReader, now
from services.accounts import AccountError, new_account
from services.invitations import new_link
from services.permissions import Part, require
from services.study_views import StudyRefused
from services.workspace import Workspace

PARTS: tuple[str, ...] = get_args(Part)
MEANING = {
    "co-editor": "designs the study, invites readers and sees results, as a researcher does",
    "statistician": "gets the decoded data with arms called “arm 1”, “arm 2”, … until a researcher unblinds them",
    "monitor": "sees how far every reader is; no answers, no arms, no images",
    "chair": "decides where readers disagree, blind to readers, sides and arms",
}


@dataclass(frozen=True)
class MemberView:
    """A person with a part. `signed_up`: has set a password."""

    id: int
    account_id: int
    login: str
    display_name: str
    part: str
    signed_up: bool
    added_at: datetime


def members(workspace: Workspace, study_id: int) -> list[MemberView]:
    """Everybody with a part in the study, oldest first; parts that were taken away are left out."""
    with workspace.session() as session:
        rows = session.scalars(
            sa.select(StudyMember)
            .where(StudyMember.study_id == study_id, StudyMember.removed_at.is_(None))
            .options(joinedload(StudyMember.account))
            .order_by(StudyMember.id)
        )
        return [
            MemberView(
                row.id,
                row.account_id,
                row.account.login,
                row.account.display_name,
                row.part,
                row.account.password_hash is not None,
                row.added_at,
            )
            for row in rows
        ]


def invite_member(workspace: Workspace, study_id: int, login: str, display_name: str, part: str, actor: str) -> str:
    """Give somebody a part and return the path of a link for him or her; "/" for one who has a password already.

    A reader's account gets no part, and the chair must not have read the study: either would break the blinding. A
    researcher, who may do everything anyway, may be its chair. Raises AccountError saying so, NotAllowed for an
    `actor` who may not manage the study's people.
    """
    if part not in PARTS:
        raise AccountError(f"The part “{part}” is unknown: use {', '.join(PARTS)}.")
    with workspace.session() as session:
        require(session, actor, study_id, "readers")
        if session.get(Study, study_id) is None:
            raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
        account = new_account(session, login, display_name, "colleague", actor)
        _refuse_unfit(session.scalars(_readings_of(study_id, account.id)).first(), account, part)
        member = session.scalar(
            sa.select(StudyMember).where(
                StudyMember.study_id == study_id, StudyMember.account_id == account.id, StudyMember.part == part
            )
        )
        if member is None:
            member = StudyMember(study_id=study_id, account_id=account.id, part=part)
            session.add(member)
        member.removed_at = None
        record(session, actor, "part given", f"study {study_id}", account=account.id, part=part)
        return "/" if account.password_hash else new_link(session, account.id, study_id)


def _readings_of(study_id: int, account_id: int) -> sa.Select[int]:
    return sa.select(StudyReader.id).where(StudyReader.study_id == study_id, StudyReader.account_id == account_id)


def _refuse_unfit(reads: int | None, account: Account, part: str) -> None:
    if account.role == "reader":
        raise AccountError(f"“{account.login}” is a reader's account: give this person a login of its own for a part.")
    if account.role == "researcher" and part != "chair":
        raise AccountError(f"“{account.login}” is a researcher and may do this already: choose another login.")
    if reads is not None:
        raise AccountError(f"“{account.login}” reads this study and can have no other part in it.")


def remove_member(workspace: Workspace, member_id: int, actor: str) -> None:
    """Take a part away; what the person did stays. Raises AccountError where there is no such part."""
    with workspace.session() as session:
        member = session.get(StudyMember, member_id)
        if member is None or member.removed_at is not None:
            raise AccountError("Nobody has this part any more: reload the page.")
        require(session, actor, member.study_id, "readers")
        member.removed_at = now()
        record(session, actor, "part taken", f"study {member.study_id}", account=member.account_id, part=member.part)


@dataclass(frozen=True)
class PartView:
    """A study in which an account has parts, as the person's desk lists it: under the readers' neutral title unless
    the person may see the arms."""

    study_id: int
    title: str
    state: str
    parts: tuple[str, ...]


def edits(workspace: Workspace, account_id: int) -> bool:
    """Whether an account is co-editor of any study."""
    return any("co-editor" in study.parts for study in parts_by_study(workspace, account_id))


def parts_by_study(workspace: Workspace, account_id: int) -> list[PartView]:
    """The studies in which an account has a part, newest first."""
    with workspace.session() as session:
        rows = session.execute(
            sa.select(StudyMember.part, Study)
            .join(Study, Study.id == StudyMember.study_id)
            .where(StudyMember.account_id == account_id, StudyMember.removed_at.is_(None))
            .order_by(Study.id.desc(), StudyMember.id)
        ).all()
    studies = {study.id: study for _, study in rows}
    return [
        PartView(study.id, study.title if "co-editor" in parts else study.reader_title, study.state, parts)
        for study in studies.values()
        for parts in [tuple(part for part, other in rows if other.id == study.id)]
    ]
