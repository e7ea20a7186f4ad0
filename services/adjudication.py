"""Adjudication: where readers differ on a finding a chair decides, blind to readers, sides and arms. Raw answers stay.

A chair meets a disputed pair as readers did, with sides of its own drawing, and is told how many readers gave which
answer, never who. Decisions are append-only, like readings.
"""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cfcore.study.questions import FreeText, public, to_data
from cfcore.study.viewing import viewing_data, viewing_from
from db.events import record
from db.models import Decision, DisputedCase, Pair, Reading, Study, StudyReader, Trial, now
from services.answers import AnswersRefused, asked_of, checked, is_complete
from services.pair_pixels import SIDES, geometry, raw_pixels
from services.permissions import NotAllowed, require
from services.reading import ReadingRefused, Saved, pixel_token
from services.study_views import StudyRefused
from services.workspace import Workspace

REASON = FreeText(key="reason", text="Reason for the decision")
# Answers as they are stored for the report: by image, not by side.
PLACES = ("original", "counterfactual", "both", "neither", "cannot")
Votes = dict[int, dict[str, Counter[str]]]


@dataclass(frozen=True)
class AdjudicationState:
    """How far the adjudication of a study is. disputed: findings on which readers differ, over so many cases."""

    cases: int
    disputed: int
    decided_cases: int
    prepared: bool


def to_place(answer: str, original_side: str) -> str:
    """An answer about sides A and B as one about original and counterfactual."""
    if answer not in SIDES:
        return answer
    return "original" if answer == original_side else "counterfactual"


def to_side(place: str, original_side: str) -> str:
    """The reverse of `to_place`."""
    other = "B" if original_side == "A" else "A"
    return {"original": original_side, "counterfactual": other}.get(place, place)


def votes_of(session: Session, study_id: int, pair_id: int | None = None) -> Votes:
    """Pair -> finding -> how many readers gave which answer (`PLACES`) in their first reading of the pair."""
    latest = (
        sa.select(Reading.trial_id, sa.func.max(Reading.sequence).label("sequence"))
        .where(Reading.complete)
        .group_by(Reading.trial_id)
        .subquery()
    )
    query = (
        sa.select(Trial.pair_id, Trial.original_side, Reading.answers)
        .join(StudyReader, StudyReader.id == Trial.study_reader_id)
        .join(Pair, Pair.id == Trial.pair_id)
        .join(latest, latest.c.trial_id == Trial.id)
        .join(Reading, sa.and_(Reading.trial_id == Trial.id, Reading.sequence == latest.c.sequence))
        .where(StudyReader.study_id == study_id, Trial.purpose == "counted", Pair.kind == "counterfactual")
    )
    if pair_id is not None:
        query = query.where(Trial.pair_id == pair_id)
    votes: Votes = defaultdict(lambda: defaultdict(Counter))
    for pair, side, answers in session.execute(query).tuples():
        for finding, answer in (answers.get("findings") or {}).items():
            votes[pair][finding][to_place(answer, side)] += 1
    return votes


def is_disputed(votes: Counter[str]) -> bool:
    """Whether two readers gave different answers; "cannot assess" contradicts nobody."""
    return sum(1 for place, n in votes.items() if n and place != "cannot") > 1


def state(workspace: Workspace, study_id: int, viewer: int | str) -> AdjudicationState:
    """How much there is to decide and how much is decided. Raises NotAllowed for a viewer without a say in it."""
    with workspace.session() as session:
        _require_any(session, viewer, study_id)
        study = _closed(session, study_id)
        cases = _cases(session, study.id)
        votes = votes_of(session, study_id)
        disputed = {p: [f for f, v in own.items() if is_disputed(v)] for p, own in votes.items()}
        disputed = {pair: findings for pair, findings in disputed.items() if findings}
        decided = sum(last.complete for last in _newest(session, study_id).values())
        return AdjudicationState(len(disputed), sum(map(len, disputed.values())), decided, bool(cases))


def _newest(session: Session, study_id: int) -> dict[int, Decision]:
    """Case -> the newest decision on it."""
    rows = session.scalars(
        sa.select(Decision)
        .join(DisputedCase, DisputedCase.id == Decision.case_id)
        .where(DisputedCase.study_id == study_id)
        .order_by(Decision.sequence)
    )
    return {row.case_id: row for row in rows}


def _require_any(session: Session, viewer: int | str, study_id: int) -> None:
    try:
        require(session, viewer, study_id, "results")
    except StudyRefused:
        require(session, viewer, study_id, "adjudicate")


def prepare(workspace: Workspace, study_id: int, *, actor: str) -> int:
    """Set out the disputed cases of a closed study, in random order and on random sides; returns how many there are.

    Done once: a second call changes nothing, since no reading can come any more. Raises StudyRefused for a study that
    is still read.
    """
    with workspace.session() as session:
        _require_any(session, actor, study_id)
        study = _closed(session, study_id)
        if cases := _cases(session, study_id):
            return len(cases)
        votes = votes_of(session, study_id)
        pairs = sorted(pair for pair, own in votes.items() if any(is_disputed(v) for v in own.values()))
        rng = np.random.default_rng([study.seed, 0xAD5])
        sides = rng.permutation(np.arange(len(pairs)) % 2)
        for position, i in enumerate(rng.permutation(len(pairs))):
            session.add(
                DisputedCase(
                    study_id=study_id,
                    pair_id=pairs[i],
                    position=position,
                    original_side=SIDES[sides[position]],
                    token=secrets.token_hex(16),
                )
            )
        record(session, actor, "adjudication prepared", f"study {study_id}", cases=len(pairs))
        return len(pairs)


def _closed(session: Session, study_id: int) -> Study:
    study = session.get(Study, study_id)
    if study is None:
        raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
    if study.state != "closed":
        raise StudyRefused("Adjudication begins when the reading has ended: close the study first.")
    return study


def _cases(session: Session, study_id: int) -> list[DisputedCase]:
    query = sa.select(DisputedCase).where(DisputedCase.study_id == study_id).order_by(DisputedCase.position)
    return list(session.scalars(query))


def _last(session: Session, case_id: int) -> Decision | None:
    return session.scalar(
        sa.select(Decision).where(Decision.case_id == case_id).order_by(Decision.sequence.desc()).limit(1)
    )


def _chair(session: Session, account_id: int, study_id: int) -> Study:
    """The study, for an account that may decide. Raises ReadingRefused, with a status for the browser."""
    try:
        require(session, account_id, study_id, "adjudicate")
        study = _closed(session, study_id)
    except NotAllowed as error:
        message = "This study is not open to you: ask a researcher for a part in it."
        raise ReadingRefused(message, 403, code="no_part") from error
    except StudyRefused as error:
        raise ReadingRefused(str(error), 403, code="still_read") from error
    reads = sa.select(StudyReader.id).where(StudyReader.study_id == study_id, StudyReader.account_id == account_id)
    if session.scalar(reads) is not None:
        message = "You have read this study, so somebody else must decide its disagreements."
        raise ReadingRefused(message, 403, code="own_reading")
    return study


def chair_cases(workspace: Workspace, account_id: int, study_id: int) -> dict[str, Any]:
    """What `services.reading.progress` tells a reader, of the disputed cases."""
    with workspace.session() as session:
        _chair(session, account_id, study_id)
    prepare(workspace, study_id, actor=f"account {account_id}")
    with workspace.session() as session:
        study = _chair(session, account_id, study_id)
        newest = _newest(session, study_id)
        cases = [{"token": one.token, "state": _word(newest.get(one.id))} for one in _cases(session, study_id)]
        return {
            "title": study.reader_title,
            "reader": "",
            "open": True,
            "total": len(cases),
            "at": next((i for i, one in enumerate(cases) if one["state"] != "complete"), None),
            "cases": cases,
            "profile": None,
            "viewing": viewing_data(viewing_from(study.protocol.get("viewing"))),
            "check": False,
        }


def _word(last: Decision | None) -> str:
    return "open" if last is None else "complete" if last.complete else "started"


def _case(session: Session, account_id: int, study_id: int, token: str) -> tuple[Study, DisputedCase]:
    study = _chair(session, account_id, study_id)
    case = session.scalar(sa.select(DisputedCase).where(DisputedCase.token == token, DisputedCase.study_id == study_id))
    if case is None:
        message = "This case is not part of the adjudication. Go back and open it again."
        raise ReadingRefused(message, 404, code="not_disputed")
    return study, case


def _asked(session: Session, study: Study, case: DisputedCase) -> dict[str, Any]:
    """A protocol that asks for the disputed findings of one case and for the reason, and nothing else."""
    votes = votes_of(session, study.id, case.pair_id)[case.pair_id]
    findings = [f for f in study.protocol["findings"] if is_disputed(votes.get(f["key"], Counter()))]
    return {"findings": findings, "ratings": [], "questions": [to_data(REASON)]}


def _tally(votes: Mapping[str, int], original_side: str) -> dict[str, int]:
    """How many readers gave which answer, in the chair's sides and in the order of the answers."""
    by_side = {to_side(place, original_side): n for place, n in votes.items() if n}
    return {answer: by_side[answer] for answer in ("A", "B", "both", "neither", "cannot") if answer in by_side}


def chair_case(
    workspace: Workspace, account_id: int, login_session_id: int, study_id: int, token: str
) -> dict[str, Any]:
    """One disputed case as the reading room shows it; each finding carries "votes": answer -> number of readers."""
    with workspace.session() as session:
        study, case = _case(session, account_id, study_id, token)
        asked, last, pair = _asked(session, study, case), _last(session, case.id), case.pair
        votes = votes_of(session, study_id, pair.id)[pair.id]
        total = session.scalar(sa.select(sa.func.count(DisputedCase.id)).where(DisputedCase.study_id == study_id))
        shown = asked_of({**asked, "questions": []})
        shown["questions"] = [public(REASON)]
        for finding in shown["findings"]:
            finding["votes"] = _tally(votes[finding["key"]], case.original_side)
        name = pixel_token(workspace, login_session_id, case.token)
        answers = {"findings": last.answers, "ratings": {}, "comment": ""} if last else None
        if answers and last and last.reason:
            answers["questions"] = {"reason": last.reason}
        return {
            "token": case.token,
            "title": study.reader_title,
            "position": case.position,
            "total": total,
            "open": True,
            "questions": shown,
            "pixels": geometry(pair, {s: f"/adjudicate/{study_id}/pixels/{name}/{s}" for s in SIDES}),
            "answers": answers,
            "sequence": last.sequence if last else 0,
            "seconds": 0.0,
            "idle": 0.0,
            "measures": {},
            "saved_at": last.decided_at.isoformat() if last else None,
            "complete": bool(last and last.complete),
        }


def chair_pixels(
    workspace: Workspace, account_id: int, login_session_id: int, study_id: int, name: str, side: str
) -> bytes:
    """The exact pixels of one side, see `services.reading.pixels`."""
    token = name[:-64]
    if side not in SIDES or not secrets.compare_digest(pixel_token(workspace, login_session_id, token), name):
        raise ReadingRefused("This image cannot be opened here. Load the case again.", 404, code="pixels")
    with workspace.session() as session:
        _, case = _case(session, account_id, study_id, token)
        pair = case.pair
        key = pair.original_key if side == case.original_side else pair.counterfactual_key
        size = (pair.width, pair.height, pair.max_value)
    return raw_pixels(workspace, key, *size)


def decide(
    workspace: Workspace, account_id: int, study_id: int, token: str, sequence: int, answers: Mapping[str, Any]
) -> Saved:
    """Append the chair's whole answer to a case. The reason may come last; without it the case counts as begun.

    The same number with the same answers is an echo. Raises ReadingRefused: 422 for anything that is not asked, 409
    for a number that another tab has taken, 403 and 404 as above.
    """
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 1 <= sequence < 2**31:
        raise ReadingRefused("The sequence number must be a whole number of 1 or more.", 422, code="unreadable")
    try:
        return _decide(workspace, account_id, study_id, token, sequence, answers)
    except IntegrityError:
        # Another tab took the number between our look and our write; now it is seen.
        return _decide(workspace, account_id, study_id, token, sequence, answers)


def _decide(
    workspace: Workspace, account_id: int, study_id: int, token: str, sequence: int, answers: Mapping[str, Any]
) -> Saved:
    with workspace.session() as session:
        study, case = _case(session, account_id, study_id, token)
        asked = _asked(session, study, case)
        try:
            clean = checked(answers, asked)
        except AnswersRefused as error:
            raise ReadingRefused(str(error), 422, code="answers") from error
        # A chair who writes into the comment has given a reason as well.
        findings, reason = clean["findings"], (clean.get("questions", {}).get("reason") or clean["comment"]).strip()
        complete = is_complete(clean, {**asked, "questions": []}) and bool(reason)
        last = _last(session, case.id)
        if last and last.sequence >= sequence:
            if (last.sequence, last.answers, last.reason) == (sequence, findings, reason):
                return Saved(sequence, last.decided_at, last.complete)
            stored = {"findings": last.answers, "ratings": {}, "comment": "", "questions": {"reason": last.reason}}
            raise ReadingRefused(
                "This case has been decided elsewhere in the meantime.", 409, code="decided_elsewhere",
                sequence=last.sequence, answers=stored, measures={}, seconds=0.0,
                saved_at=last.decided_at.isoformat(), complete=last.complete,
            )  # fmt: skip
        decision = Decision(
            case_id=case.id, sequence=sequence, answers=findings, reason=reason, complete=complete,
            account_id=account_id, decided_at=now(),
        )  # fmt: skip
        session.add(decision)
        session.flush()
        record(
            session,
            f"account {account_id}",
            "disagreement decided",
            f"study {study_id}",
            case=case.id,
            sequence=sequence,
        )
    return Saved(sequence, decision.decided_at, complete)


@dataclass(frozen=True)
class AdjudicatedDecision:
    """A decision, decoded. `pair_id` and `finding` name what it is about; `place` is one of `PLACES`; `votes` what the
    readers had answered, by place; `chair` numbers the people who decided, from 1."""

    pair_id: int
    finding: str
    place: str
    reason: str
    chair: int
    decided_at: datetime
    votes: dict[str, int]


def adjudicated_decisions(workspace: Workspace, study_id: int) -> list[AdjudicatedDecision]:
    """The chair's newest complete decision on every disputed finding, in the order of cases."""
    found, chairs = [], dict[int, int]()
    with workspace.session() as session:
        votes, newest = votes_of(session, study_id), _newest(session, study_id)
        for case in _cases(session, study_id):
            last = newest.get(case.id)
            if last is None or not last.complete:
                continue
            chair = chairs.setdefault(last.account_id, len(chairs) + 1)
            found += [
                AdjudicatedDecision(
                    case.pair_id,
                    finding,
                    to_place(answer, case.original_side),
                    last.reason,
                    chair,
                    last.decided_at,
                    dict(votes[case.pair_id][finding]),
                )
                for finding, answer in last.answers.items()
            ]
    return found
