"""Practice before the first counted case: right answers, feedback, and the pass mark that opens the study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.study.decode import decode
from db.events import record
from db.models import Pair, Reading, Study, StudyReader, Trial
from services.permissions import require
from services.study_design.drafts import draft_of
from services.study_views import StudyRefused
from services.workspace import Workspace

# The four states of a finding in a pair, as the researcher names them: in the original, in the counterfactual.
STATES: Mapping[str, tuple[bool, bool]] = {
    "neither": (False, False),
    "original": (True, False),
    "counterfactual": (False, True),
    "both": (True, True),
}
# In a pair's meta: where its right answers came from, if not from a researcher.
FROM, PHANTOM = "truth_from", "phantom"


@dataclass(frozen=True)
class Practice:
    """How a reader stands with the training cases. right of asked: answers of the latest complete readings; first:
    those of the first complete ones. passed: no training, or all cases read with at least the pass mark."""

    cases: int
    read: int
    right: int
    asked: int
    first: int
    pass_mark: float
    passed: bool

    @property
    def share(self) -> float:
        return self.right / self.asked if self.asked else 0.0


def set_truth(workspace: Workspace, pair_id: int, states: Mapping[str, str], *, actor: str) -> None:
    """State the right answers of a training pair of a draft. states: finding key -> a key of `STATES`.

    Raises StudyRefused for another pair, an unknown finding or state, or a study that is locked.
    """
    with workspace.session() as session:
        pair = session.get(Pair, pair_id)
        if pair is None:
            raise StudyRefused(f"There is no pair {pair_id}: make the pairs again.")
        require(session, actor, pair.study_id, "design")
        study = draft_of(session, pair.study_id)
        if pair.kind != "training":
            raise StudyRefused("Right answers belong to training cases: this pair is read as evidence.")
        known = {finding["key"] for finding in study.protocol["findings"]}
        if unknown := sorted(set(states) - known):
            raise StudyRefused(f"“{unknown[0]}” is no finding of this study: choose one of {', '.join(sorted(known))}.")
        if wrong := sorted(set(states.values()) - set(STATES)):
            raise StudyRefused(f"“{wrong[0]}” says not where a finding is: use {', '.join(STATES)}.")
        truth = {key: list(STATES[state]) for key, state in states.items()} or None
        if truth != pair.truth:
            pair.meta = {key: value for key, value in pair.meta.items() if key != FROM}
        pair.truth = truth
        record(session, actor, "training answers set", f"study {study.id}", pair=pair.id, findings=len(states))


def right_answer(truth: tuple[bool, bool] | list[bool], original_side: str) -> str:
    """The checklist answer that states the truth, given the side on which the original stands."""
    original, counterfactual = truth
    if original == counterfactual:
        return "both" if original else "neither"
    other = "B" if original_side == "A" else "A"
    return original_side if original else other


def feedback(trial: Trial, answers: Mapping[str, Any], protocol: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a reader is told after a training case: {"key", "label", "given", "right", "correct", "known"} per finding.

    known: the right answer is what is truly in the images, not what somebody holds to be right. Empty for every other
    trial: nothing else ever tells a right answer.
    """
    if trial.purpose != "training":
        return []
    labels = {finding["key"]: finding["label"] for finding in protocol["findings"]}
    given = answers.get("findings") or {}
    told = []
    for key, truth in (trial.pair.truth or {}).items():
        if key in labels:
            right = right_answer(truth, trial.original_side)
            told.append(
                {
                    "key": key,
                    "label": labels[key],
                    "given": given.get(key),
                    "right": right,
                    "correct": given.get(key) == right,
                    "known": trial.pair.meta.get(FROM) == PHANTOM,
                }
            )
    return told


def practice(session: Session, reader: StudyReader, study: Study) -> Practice:
    """How a reader stands with the training cases of a study."""
    mark = float((study.protocol.get("training") or {}).get("pass_mark", 0.0))
    rows = session.execute(
        sa.select(Trial, Reading)
        .outerjoin(Reading, sa.and_(Reading.trial_id == Trial.id, Reading.complete))
        .where(Trial.study_reader_id == reader.id, Trial.purpose == "training")
        .order_by(Trial.position, Reading.sequence)
    ).all()
    latest: dict[int, tuple[Trial, Reading]] = {}
    earliest: dict[int, tuple[Trial, Reading]] = {}
    for trial, reading in rows:
        if reading is not None:
            latest[trial.id] = (trial, reading)
            earliest.setdefault(trial.id, (trial, reading))
    cases = len({trial.id for trial, _ in rows})
    right, asked = _score(latest)
    first, _ = _score(earliest)
    enough = asked == 0 or right >= mark * asked - 1e-9
    return Practice(cases, len(latest), right, asked, first, mark, len(latest) == cases and enough)


def _score(read: Mapping[int, tuple[Trial, Reading]]) -> tuple[int, int]:
    right = asked = 0
    for trial, reading in read.values():
        given = reading.answers.get("findings") or {}
        for key, truth in (trial.pair.truth or {}).items():
            asked += 1
            seen = decode(given.get(key), trial.original_side)
            right += [seen.in_original, seen.in_counterfactual] == list(truth)
    return right, asked
