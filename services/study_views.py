"""What the pages show of studies: plain data, read in a few queries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from cfcore.study.design.gate import FlowBox, flow_boxes
from cfcore.study.protocol import Protocol, from_json, lock_problems
from cfcore.wording import direction_name
from db.models import Dataset, Event, Pair, Reading, Run, Study, StudyReader, Trial
from services.elicitation_state import round_problems
from services.rehearsal_removal import is_rehearsal
from services.workspace import Workspace


class StudyRefused(ValueError):
    """What was asked cannot be done with this study; the message says why and what to do."""


@dataclass(frozen=True)
class StudySummary:
    """A line in the list of studies. `done` of `total` trials have a complete reading; `simulated`: no reader is a
    person."""

    id: int
    title: str
    reader_title: str
    state: str
    arms: tuple[str, ...]
    n_pairs: int
    n_readers: int
    simulated: bool
    done: int
    total: int
    created_at: datetime
    locked_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True)
class PairView:
    """A pair as researchers see it: arm, source image, the three probabilities of the target class.

    `meta` holds "selection" (the rule), "rendering", "reference", "degree", "flipped_plain".
    """

    id: int
    arm: str
    image_id: int
    patient: str
    original_key: str
    counterfactual_key: str
    width: int
    height: int
    max_value: int
    window: tuple[float, float] | None
    p_source: float
    p_reconstruction: float
    p_counterfactual: float
    flipped: bool
    meta: dict[str, Any]
    kind: str = "counterfactual"
    truth: dict[str, Any] | None = None


@dataclass(frozen=True)
class ReaderView:
    """A reader and how far he or she is."""

    id: int
    account_id: int
    label: str
    login: str
    display_name: str
    simulated: bool
    has_password: bool
    done: int
    total: int
    invited_at: datetime
    revoked_at: datetime | None
    last_saved: datetime | None


@dataclass(frozen=True)
class StudyView:
    """Everything that the Studies page shows of one study.

    Attributes:
        selection: the rule by which the images were drawn, as stored with the pairs; None before there are pairs.
        problems: what keeps a draft from being locked; empty for a locked study.
        changed_after_preview: the checklist was changed after somebody had seen pairs; the report says so.
        version: of the protocol, 1 until it is amended. flow: the gate's flow diagram, box by box; empty without pairs.
    """

    id: int
    title: str
    reader_title: str
    state: str
    protocol: Protocol
    digest: str | None
    dataset_id: int | None
    dataset: str | None
    run_id: int | None
    run: str | None
    seed: int
    created_at: datetime
    locked_at: datetime | None
    closed_at: datetime | None
    pairs: tuple[PairView, ...]
    readers: tuple[ReaderView, ...]
    selection: dict[str, Any] | None
    problems: tuple[str, ...]
    changed_after_preview: bool
    version: int = 1
    flow: tuple[FlowBox, ...] = ()

    @property
    def phase(self) -> str:
        """ "draft", "locked" (nobody has read yet), "running" or "closed"."""
        read = any(reader.last_saved for reader in self.readers)
        return "running" if self.state == "locked" and read else self.state


@dataclass(frozen=True)
class _Progress:
    done: int = 0
    total: int = 0
    last_saved: datetime | None = None


def protocol_of(study: Study) -> Protocol:
    """The stored protocol as plain data."""
    return from_json(json.dumps(study.protocol))


def problems_of(study: Study, protocol: Protocol) -> tuple[str, ...]:
    """Every sentence that says why a draft cannot be locked yet: its protocol's problems, then missing pairs."""
    problems = lock_problems(protocol) + round_problems(study, protocol)
    if not study.pairs:
        return (*problems, "No pairs are made yet: choose images and arms, then make the pairs.")
    per_arm = protocol.n_per_arm * (len(protocol.arms) if protocol.allocation == "rotated patients" else 1)
    asked = [(arm.key, arm.name, per_arm) for arm in protocol.arms]
    asked += [(control.kind, control.name, control.n) for control in protocol.controls]
    if protocol.training:
        asked.append(("training", "Training", protocol.training.n))
    for key, name, n in asked:
        found = sum(pair.arm == key for pair in study.pairs)
        if found != n:
            problems.append(f"Arm “{name}” has {found} pairs, the protocol asks for {n}: make the pairs again.")
    untold = [i for i, pair in enumerate(study.pairs, 1) if pair.kind == "training" and not pair.truth]
    if untold:
        problems.append(
            f"Training case{'s' if len(untold) > 1 else ''} {', '.join(map(str, untold))} of the preview "
            f"{'have' if len(untold) > 1 else 'has'} no right answers: set them under Preview, or ask for no training."
        )
    return tuple(problems)


def _arm_names(protocol: Protocol) -> dict[str, str]:
    arms = {arm.key: direction_name(arm.name) for arm in protocol.arms}
    return arms | {control.kind: control.name for control in protocol.controls}


def list_studies(workspace: Workspace, rehearsal: int = 0) -> list[StudySummary]:
    """All studies, newest first. Of the copies that rehearsals have read only the one with the id `rehearsal`."""
    with workspace.session() as session:
        query = sa.select(Study).where(~is_rehearsal(Study.id) | (Study.id == rehearsal)).order_by(Study.id.desc())
        studies = session.scalars(query).all()
        rows = session.execute(sa.select(Pair.study_id, sa.func.count()).group_by(Pair.study_id))
        n_pairs = {row[0]: row[1] for row in rows}
        readers = session.scalars(sa.select(StudyReader)).all()
        progress = _progress(session)
    own = {study.id: [reader for reader in readers if reader.study_id == study.id] for study in studies}
    return [_summary(study, n_pairs.get(study.id, 0), own[study.id], progress) for study in studies]


def study_view(workspace: Workspace, study_id: int) -> StudyView:
    """Everything about one study. Raises StudyRefused where there is none."""
    with workspace.session() as session:
        study = session.scalar(
            sa.select(Study)
            .where(Study.id == study_id)
            .options(selectinload(Study.pairs), selectinload(Study.readers).joinedload(StudyReader.account))
        )
        if study is None:
            raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
        protocol = protocol_of(study)
        progress = _progress(session, study_id)
        run = session.get(Run, study.run_id) if study.run_id else None
        dataset = session.get(Dataset, study.dataset_id) if study.dataset_id else None
        return StudyView(
            id=study.id,
            title=study.title,
            reader_title=study.reader_title,
            state=study.state,
            protocol=protocol,
            digest=study.digest,
            dataset_id=study.dataset_id,
            dataset=dataset.name if dataset else None,
            run_id=study.run_id,
            run=run.name if run else None,
            seed=study.seed,
            created_at=study.created_at,
            locked_at=study.locked_at,
            closed_at=study.closed_at,
            pairs=tuple(pair_view(pair) for pair in study.pairs),
            readers=tuple(_reader_view(reader, progress) for reader in study.readers),
            selection=study.pairs[0].meta.get("selection") if study.pairs else None,
            problems=problems_of(study, protocol) if study.state == "draft" else (),
            changed_after_preview=any(
                event.data.get("after_preview") for event in _events(session, "study changed", study_id)
            ),
            version=study.version,
            flow=tuple(flow_boxes(study.flow, _arm_names(protocol))),
        )


def was_previewed(session: Session, study_id: int) -> bool:
    """Whether somebody has looked at pairs of this study before it was locked."""
    return bool(_events(session, "study previewed", study_id))


def pair_view(pair: Pair) -> PairView:
    """Plain data of a pair."""
    window = None
    if pair.window_centre is not None and pair.window_width is not None:
        window = (pair.window_centre, pair.window_width)
    return PairView(
        id=pair.id,
        arm=pair.arm,
        image_id=pair.image_id,
        patient=pair.patient,
        original_key=pair.original_key,
        counterfactual_key=pair.counterfactual_key,
        width=pair.width,
        height=pair.height,
        max_value=pair.max_value,
        window=window,
        p_source=pair.p_source,
        p_reconstruction=pair.p_reconstruction,
        p_counterfactual=pair.p_counterfactual,
        flipped=pair.flipped,
        meta=dict(pair.meta),
        kind=pair.kind,
        truth=pair.truth,
    )


def _events(session: Session, kind: str, study_id: int) -> Sequence[Event]:
    return session.scalars(sa.select(Event).where(Event.kind == kind, Event.subject == f"study {study_id}")).all()


def _progress(session: Session, study_id: int | None = None) -> dict[int, _Progress]:
    done = sa.func.count(sa.distinct(sa.case((Reading.complete, Trial.id))))
    # What a replacement has taken over is the replacement's to read.
    own = sa.func.count(sa.distinct(sa.case((sa.or_(sa.not_(Trial.taken_over), Reading.complete), Trial.id))))
    query = (
        sa.select(Trial.study_reader_id, done, own, sa.func.max(Reading.saved_at))
        .outerjoin(Reading, Reading.trial_id == Trial.id)
        .group_by(Trial.study_reader_id)
    )
    if study_id is not None:
        query = query.join(StudyReader, StudyReader.id == Trial.study_reader_id).where(StudyReader.study_id == study_id)
    return {reader: _Progress(n, total, saved) for reader, n, total, saved in session.execute(query)}


def _summary(
    study: Study, n_pairs: int, readers: Sequence[StudyReader], progress: dict[int, _Progress]
) -> StudySummary:
    counts = [progress.get(reader.id, _Progress()) for reader in readers]
    return StudySummary(
        id=study.id,
        title=study.title,
        reader_title=study.reader_title,
        state=study.state,
        arms=tuple(arm["name"] for arm in study.protocol.get("arms", ())),
        n_pairs=n_pairs,
        n_readers=len(readers),
        simulated=bool(readers) and all(reader.simulated for reader in readers),
        done=sum(count.done for count in counts),
        total=sum(count.total for count in counts),
        created_at=study.created_at,
        locked_at=study.locked_at,
        closed_at=study.closed_at,
    )


def _reader_view(reader: StudyReader, progress: dict[int, _Progress]) -> ReaderView:
    count = progress.get(reader.id, _Progress())
    return ReaderView(
        id=reader.id,
        account_id=reader.account_id,
        label=reader.label,
        login=reader.account.login,
        display_name=reader.account.display_name,
        simulated=reader.simulated,
        has_password=reader.account.password_hash is not None,
        done=count.done,
        total=count.total,
        invited_at=reader.invited_at,
        revoked_at=reader.revoked_at,
        last_saved=count.last_saved,
    )
