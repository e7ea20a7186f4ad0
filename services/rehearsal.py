"""The reading room as readers will see it, for the researcher who designs a study: nothing is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.study.design.planning import is_plain, plan_reader
from cfcore.study.schedule import Trial, make_schedule
from cfcore.study.viewing import viewing_data, viewing_from
from db.models import Pair, Study
from services.answers import asked_of, occasion_of, sides_of
from services.pair_pixels import geometry, raw_pixels
from services.reading import ReadingRefused
from services.study_design.planning import plan_pairs
from services.study_views import protocol_of
from services.workspace import Workspace


def _plan(session: Session, study_id: int) -> tuple[Study, list[tuple[Trial, Pair]]]:
    study = session.get(Study, study_id)
    if study is None:
        raise ReadingRefused("There is no such study. Choose one under Studies.", 404, code="no_study")
    pairs = {p.id: p for p in session.scalars(sa.select(Pair).where(Pair.study_id == study_id))}
    if not pairs:
        raise ReadingRefused("This study has no pairs yet. Make them under Studies first.", 404, code="no_pairs")
    protocol, plan = protocol_of(study), plan_pairs(list(pairs.values()))
    if is_plain(protocol):
        arms: dict[str | int, str] = {key: pair.arm for key, pair in pairs.items()}
        patients: dict[str | int, str | int] = {key: pair.patient for key, pair in pairs.items()}
        trials = make_schedule(list(pairs), "rehearsal", study.seed, arms, patients)
    else:
        # Every trial that a reader meets, in the kind of order that a first reader has, by a seed of its own.
        try:
            trials = plan_reader(plan, replace(protocol, seed=protocol.seed + 1), 1)
        except ValueError as error:
            raise ReadingRefused(f"The schedule cannot be drawn yet: {error}", 404, code="no_schedule") from error
    return study, [(trial, pairs[int(trial.pair_id)]) for trial in trials]


def _trial(session: Session, study_id: int, position: int) -> tuple[Study, int, Trial, Pair]:
    study, plan = _plan(session, study_id)
    if not 0 <= position < len(plan):
        message = f"There is no case {position + 1}: this study has {len(plan)}."
        raise ReadingRefused(message, 404, code="no_case", values={"number": position + 1, "total": len(plan)})
    return study, len(plan), *plan[position]


def rehearsal(workspace: Workspace, study_id: int) -> dict[str, Any]:
    """What `services.reading.progress` tells a reader, for a schedule that belongs to nobody."""
    with workspace.session() as session:
        study, plan = _plan(session, study_id)
        return {
            "title": study.reader_title,
            "reader": "nobody",
            "open": True,
            "total": len(plan),
            "at": 0,
            "cases": [{"token": str(i), "state": "open"} for i in range(len(plan))],
            "profile": None,
            "viewing": viewing_data(viewing_from(study.protocol.get("viewing"))),
            "check": False,
        }


def rehearsal_case(workspace: Workspace, study_id: int, position: int) -> dict[str, Any]:
    """What `services.reading.case` tells a reader, without answers."""
    with workspace.session() as session:
        study, total, trial, pair = _trial(session, study_id, position)
        urls = {side: f"/rehearse/{study_id}/pixels/{position}/{side}" for side in sides_of(trial)}
        return {
            "token": str(position),
            "title": study.reader_title,
            "position": trial.position,
            "total": total,
            "open": True,
            "questions": asked_of(study.protocol, occasion_of(trial)),
            "pixels": geometry(pair, urls) if urls else None,
            "answers": None,
            "sequence": 0,
            "seconds": 0.0,
            "idle": 0.0,
            "measures": {},
            "saved_at": None,
            "complete": False,
        }


def rehearsal_pixels(workspace: Workspace, study_id: int, position: int, side: str) -> bytes:
    """The exact pixels of one side (see `services.pair_pixels.raw_pixels`)."""
    with workspace.session() as session:
        _, _, trial, pair = _trial(session, study_id, position)
        key = pair.original_key if side == trial.original_side else pair.counterfactual_key
        size = (pair.width, pair.height, pair.max_value)
    return raw_pixels(workspace, key, *size)
