"""The schedule as rows: planned before the lock, shown with its balance, handed to readers as they are invited."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.study.design.balance import Balance, balance
from cfcore.study.design.planning import PlanPair, plan_reader, plan_study
from cfcore.study.protocol import Protocol
from cfcore.study.schedule import Purpose, Side
from cfcore.study.schedule import Trial as Turn
from db.models import Pair, PlannedTrial, Study, StudyReader, Trial
from services.study_views import StudyRefused, protocol_of
from services.workspace import Workspace


@dataclass(frozen=True)
class PlannedCase:
    """One place in a planned schedule, as the researcher sees it. `case`: number of the pair in the study, from 1."""

    slot: int
    position: int
    case: int
    arm: str
    purpose: Purpose
    original_side: Side


def plan_pairs(pairs: Sequence[Pair]) -> list[PlanPair]:
    """What the schedule must know of stored pairs."""
    return [PlanPair(p.id, p.arm, p.patient, p.kind, p.meta.get("block"), p.meta.get("second_patient")) for p in pairs]


def write_plan(session: Session, study: Study) -> None:
    """Compute the schedule of every planned reader anew and store it. Raises StudyRefused where the design does not
    fit the pairs."""
    session.execute(sa.delete(PlannedTrial).where(PlannedTrial.study_id == study.id))
    pairs = _pairs(session, study.id)
    if not pairs:
        return
    try:
        plans = plan_study(plan_pairs(pairs), protocol_of(study))
    except ValueError as error:
        raise StudyRefused(str(error)) from error
    session.add_all(
        PlannedTrial(
            study_id=study.id,
            slot=slot,
            position=turn.position,
            pair_id=int(turn.pair_id),
            purpose=turn.purpose,
            original_side=turn.original_side,
        )
        for slot, turns in plans.items()
        for turn in turns
    )
    session.flush()


def planned(session: Session, study_id: int) -> dict[int, list[Turn]]:
    """Slot -> stored schedule, in the order of reading."""
    rows = session.scalars(
        sa.select(PlannedTrial)
        .where(PlannedTrial.study_id == study_id)
        .order_by(PlannedTrial.slot, PlannedTrial.position)
    )
    plans: dict[int, list[Turn]] = {}
    for row in rows:
        turn = Turn(row.position, row.pair_id, row.original_side, row.purpose)  # type: ignore[arg-type]
        plans.setdefault(row.slot, []).append(turn)
    return plans


def turns_of(session: Session, study: Study, slot: int) -> list[Turn]:
    """The schedule of one slot: as stored, or drawn now where the study plans fewer readers.

    Raises ValueError where the design has no cases for a further reader.
    """
    if stored := planned(session, study.id).get(slot):
        return stored
    return plan_reader(plan_pairs(_pairs(session, study.id)), protocol_of(study), slot)


def trials_of(reader_id: int, turns: Sequence[Turn]) -> list[Trial]:
    """Rows of one reader's schedule under fresh opaque names."""
    return [
        Trial(
            study_reader_id=reader_id,
            pair_id=int(turn.pair_id),
            position=position,
            original_side=turn.original_side,
            purpose=turn.purpose,
            token=secrets.token_hex(16),
        )
        for position, turn in enumerate(turns)
    ]


def free_slot(session: Session, study_id: int) -> int:
    """The lowest slot that nobody has been invited to."""
    rows = session.execute(sa.select(StudyReader.slot, StudyReader.label).where(StudyReader.study_id == study_id))
    # Readers of the first release have no slot: their schedule was drawn by their label.
    taken = {slot if slot is not None else int(label.lstrip("R")) for slot, label in rows}
    return next(slot for slot in range(1, len(taken) + 2) if slot not in taken)


def plan_balance(workspace: Workspace, study_id: int) -> tuple[Balance, list[PlannedCase]]:
    """The balance table of the planned readers and their schedules case by case."""
    with workspace.session() as session:
        study = session.get(Study, study_id)
        if study is None:
            raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
        pairs = _pairs(session, study_id)
        plans = planned(session, study_id)
        protocol = protocol_of(study)
    number = {pair.id: i for i, pair in enumerate(pairs, 1)}
    arms = {pair.id: pair.arm for pair in pairs}
    cases = [
        PlannedCase(slot, t.position, number[int(t.pair_id)], arms[int(t.pair_id)], t.purpose, t.original_side)
        for slot, turns in plans.items()
        for t in turns
    ]
    return balance(plans, plan_pairs(pairs), _arm_keys(protocol)), cases


def exposure_line(protocol: Protocol, exposures: int) -> str:
    """What lock page and report say about patients that come back."""
    if exposures <= 1:
        return "Every reader meets a patient once (second readings and guesses apart)."
    return (
        f"Every reader meets a patient up to {exposures} times: the same patients are shown under "
        f"{len(protocol.arms)} arms, as in the paper. Answers to one patient are not independent."
    )


def _arm_keys(protocol: Protocol) -> list[str]:
    return [*(arm.key for arm in protocol.arms), *(control.kind for control in protocol.controls)]


def _pairs(session: Session, study_id: int) -> list[Pair]:
    return list(session.scalars(sa.select(Pair).where(Pair.study_id == study_id).order_by(Pair.id)))
