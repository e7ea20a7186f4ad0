"""The elicitation round, for readers: what is asked, their own proposals, the merged list to confirm.

Nothing that leaves these functions tells arm, method, side, class or who else proposed what.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.events import record
from db.models import ElicitationReader, ElicitationRound, Pair, Proposal, Study, now
from services.elicitation import current
from services.pair_pixels import SIDES, geometry, raw_pixels
from services.reading import ReadingRefused
from services.workspace import Workspace

MOST_PROPOSALS = 40
LONGEST_LABEL = 120
LONGEST_OBJECTION = 2000


def rounds_for(workspace: Workspace, account_id: int) -> list[dict[str, Any]]:
    """The rounds that wait for an account, newest first: {"round": token, "title", "state"}.

    state: "propose", "sent" (proposed, may still be changed), "confirm", "confirmed". Rounds that are done, and those
    of studies that are no drafts any more, are not listed.
    """
    with workspace.session() as session:
        rows = session.execute(
            sa.select(ElicitationReader, ElicitationRound, Study)
            .join(ElicitationRound, ElicitationReader.round_id == ElicitationRound.id)
            .join(Study, ElicitationRound.study_id == Study.id)
            .where(ElicitationReader.account_id == account_id, ElicitationRound.state != "done", Study.state == "draft")
            .order_by(ElicitationReader.id.desc())
        )
        return [{"round": p.token, "title": study.reader_title, "state": _state(p, found)} for p, found, study in rows]


def round_for(workspace: Workspace, account_id: int, session_id: int, token: str) -> dict[str, Any]:
    """One round as its page shows it: what is asked, own proposals, pictures, and the merged list once there is one."""
    with workspace.session() as session:
        person, found, study = _person(session, account_id, token)
        order = {pair_id: i for i, pair_id in enumerate(found.pair_ids)}
        pairs = sorted(session.scalars(sa.select(Pair).where(Pair.id.in_(order))), key=lambda pair: order[pair.id])
        return {
            "title": study.reader_title,
            "asked": found.asked,
            "state": _state(person, found),
            "proposals": [{"label": q.label, "kind": q.kind} for q in current(person)],
            "checklist": [{"label": item["label"], "kind": item["kind"]} for item in found.checklist],
            "digest": found.digest,
            "objection": person.objection,
            "pairs": [
                _picture(workspace, session_id, person, number, pair) for pair in pairs for number in [order[pair.id]]
            ],
        }


def propose(workspace: Workspace, account_id: int, token: str, proposals: Any) -> dict[str, Any]:
    """Replace the reader's proposals by `proposals`, a list of {"label", "kind"}; returns them as stored.

    What is no longer on the list is taken back, not deleted. Raises ReadingRefused: 422 for a list that cannot be
    taken, 423 once the lists are being merged.
    """
    with workspace.session() as session:
        person, found, study = _person(session, account_id, token)
        if found.state != "proposing":
            message = "The proposals are being merged: say what is missing when you confirm the list."
            raise ReadingRefused(message, 423, code="merging")
        wanted = _checked(proposals)
        kept = {(q.label, q.kind): q for q in current(person)}
        for key, proposal in kept.items():
            if key not in wanted:
                proposal.withdrawn_at = now()
        person.proposals += [Proposal(label=label, kind=kind) for label, kind in wanted if (label, kind) not in kept]
        person.submitted_at = now()
        session.flush()
        record(session, f"account {account_id}", "findings proposed", f"study {study.id}", number=len(wanted))
        return {"state": _state(person, found), "proposals": [{"label": n, "kind": k} for n, k in wanted]}


def confirm(workspace: Workspace, account_id: int, token: str, digest: Any, objection: Any = "") -> dict[str, Any]:
    """Confirm the merged list, or say what should change (`objection`). digest: of the list that was on the screen.

    Raises ReadingRefused: 409 where the list has been changed in the meantime, 422 for a long or wrong text.
    """
    if not isinstance(objection, str) or len(objection) > LONGEST_OBJECTION:
        message = f"Say in at most {LONGEST_OBJECTION} characters what should change."
        raise ReadingRefused(message, 422, code="objection", values={"most": LONGEST_OBJECTION})
    with workspace.session() as session:
        person, found, study = _person(session, account_id, token)
        if found.state != "confirming" or digest != found.digest:
            message = "The list has been changed in the meantime: look at it again."
            raise ReadingRefused(message, 409, code="list_changed")
        person.objection, person.answered_at = objection.strip(), now()
        person.confirmed = None if person.objection else found.digest
        kind = "list objected to" if person.objection else "list confirmed"
        record(session, f"account {account_id}", kind, f"study {study.id}", digest=found.digest)
        return {"state": _state(person, found), "objection": person.objection}


def round_pixels(workspace: Workspace, account_id: int, session_id: int, name: str, side: str) -> bytes:
    """The exact pixels of one side of a round's pair, by the name that `round_for` gave for this session."""
    token, number = name[:32], name[32:35]
    if (
        side not in SIDES
        or not number.isdigit()
        or not hmac.compare_digest(_name(workspace, session_id, token, int(number)).encode(), name.encode())
    ):
        raise ReadingRefused("This image cannot be opened here. Load the case again.", 404, code="pixels")
    with workspace.session() as session:
        person, found, _ = _person(session, account_id, token)
        pair = session.get(Pair, found.pair_ids[int(number)]) if int(number) < len(found.pair_ids) else None
        if pair is None:
            raise ReadingRefused("This pair has been made again since. Load the page again.", 404, code="made_again")
        first = _original_first(workspace, person, pair)
        key = pair.original_key if (side == "A") == first else pair.counterfactual_key
        size = (pair.width, pair.height, pair.max_value)
    return raw_pixels(workspace, key, *size)


def _state(person: ElicitationReader, found: ElicitationRound) -> str:
    if found.state == "proposing":
        return "sent" if person.submitted_at else "propose"
    return "confirmed" if person.confirmed == found.digest else "confirm"


def _person(session: Session, account_id: int, token: str) -> tuple[ElicitationReader, ElicitationRound, Study]:
    found = session.execute(
        sa.select(ElicitationReader, ElicitationRound, Study)
        .join(ElicitationRound, ElicitationReader.round_id == ElicitationRound.id)
        .join(Study, ElicitationRound.study_id == Study.id)
        .where(ElicitationReader.token == token, ElicitationReader.account_id == account_id)
    ).first()
    if found is None:
        message = "This is not on your list. Go back to the list and choose from there."
        raise ReadingRefused(message, 404, code="not_listed")
    person, asked, study = found
    if study.state != "draft" or asked.state == "done":
        raise ReadingRefused("The findings are settled: nothing more is asked here. Thank you.", 423, code="settled")
    return person, asked, study


def _checked(proposals: Any) -> list[tuple[str, str]]:
    if not isinstance(proposals, Sequence) or isinstance(proposals, str):
        raise ReadingRefused("Send a list of findings, each with its label and kind.", 422, code="unreadable")
    if len(proposals) > MOST_PROPOSALS:
        message = f"{len(proposals)} findings: propose at most {MOST_PROPOSALS}."
        raise ReadingRefused(message, 422, code="too_many", values={"number": len(proposals), "most": MOST_PROPOSALS})
    wanted: list[tuple[str, str]] = []
    for item in proposals:
        label = item.get("label") if isinstance(item, Mapping) else None
        kind = item.get("kind") if isinstance(item, Mapping) else None
        if not isinstance(label, str) or not label.strip() or kind not in ("main", "secondary"):
            raise ReadingRefused("A finding needs a name, and is main or secondary.", 422, code="no_name")
        label = " ".join(label.split())
        if len(label) > LONGEST_LABEL:
            message = f"“{label[:40]}…” is longer than {LONGEST_LABEL} characters: shorten it."
            raise ReadingRefused(message, 422, code="long_name", values={"name": label[:40], "most": LONGEST_LABEL})
        if label.casefold() in {known.casefold() for known, _ in wanted}:
            message = f"“{label}” is on your list twice: keep one."
            raise ReadingRefused(message, 422, code="twice", values={"name": label})
        wanted.append((label, str(kind)))
    return wanted


def _name(workspace: Workspace, session_id: int, token: str, number: int) -> str:
    text = f"round {session_id} {token} {number}".encode()
    return f"{token}{number:03d}{hmac.new(workspace.key, text, hashlib.sha256).hexdigest()}"


def _original_first(workspace: Workspace, person: ElicitationReader, pair: Pair) -> bool:
    """Whether the original stands on side A: drawn anew for each reader and pair, the same at every visit."""
    return hmac.new(workspace.key, f"round side {person.id} {pair.id}".encode(), hashlib.sha256).digest()[0] % 2 == 0


def _picture(
    workspace: Workspace, session_id: int, person: ElicitationReader, number: int, pair: Pair
) -> dict[str, Any]:
    name = _name(workspace, session_id, person.token, number)
    return geometry(pair, {side: f"/read/round/pixels/{name}/{side}" for side in SIDES})
