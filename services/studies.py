"""Designing a reader study: draft, preview, lock, close. A locked study never changes again; a copy may."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from cfcore.rendering import DEFAULT_RENDERING, Rendering
from cfcore.study.analysis_plan import AnalysisPlan, suggested_plan
from cfcore.study.design.choices import Control, Design, Gate, Repeats, Training
from cfcore.study.protocol import (
    DEFAULT_RATINGS,
    FINDING_LISTS,
    Allocation,
    Arm,
    Finding,
    Protocol,
    Rating,
    Reference,
    validate,
)
from cfcore.wording import direction_name
from db.events import record
from db.models import Run, Study, now
from services.elicitation_state import delete_round
from services.log import log_event
from services.permissions import require, require_researcher
from services.reader_profiles import copy_desk, desk_row
from services.rehearsal_removal import remove_study
from services.study_design.drafts import delete_files, draft_of, drop_pairs, store_protocol
from services.study_design.locking import amend_study, lock_study, verify_digest
from services.study_design.planning import write_plan
from services.study_design.starting_degree import starting_degree
from services.study_design.suggestions import neutral_title, suggested_list
from services.study_views import (
    PairView,
    ReaderView,
    StudyRefused,
    StudySummary,
    StudyView,
    list_studies,
    pair_view,
    problems_of,
    protocol_of,
    study_view,
    was_previewed,
)
from services.workspace import Workspace

__all__ = [
    "DEFAULT_RATINGS",
    "FINDING_LISTS",
    "Arm",
    "Control",
    "Design",
    "Finding",
    "Gate",
    "PairView",
    "Protocol",
    "Rating",
    "ReaderView",
    "Repeats",
    "StudyRefused",
    "StudySummary",
    "StudyView",
    "Training",
    "amend_study",
    "arm_of",
    "close_study",
    "copy_study",
    "create_study",
    "delete_draft",
    "findings_from",
    "list_studies",
    "lock_study",
    "preview",
    "study_view",
    "update_draft",
    "verify_digest",
]

# A change of one of these asks for other pairs; the rest only words the study.
PAIR_FIELDS = frozenset(
    {"arms", "degree", "rendering", "reference", "seed", "n_per_arm", "allocation", "controls", "gate", "training"}
)
# A change of one of these asks for other schedules of the same pairs.
PLAN_FIELDS = frozenset({"design", "repeats", "guess_share", "single_share", "questions"})
# How many readers a new study plans for.
PLANNED_READERS = 3


def arm_of(direction: str) -> Arm:
    """The arm of a direction: name "v17 +" gives key "v17+"."""
    return Arm(key=direction.replace(" ", ""), name=direction)


def findings_from(rows: Sequence[tuple[str, str, str]]) -> tuple[Finding, ...]:
    """A checklist from (key, label, kind) rows as typed by a person: rows without a label are dropped, missing keys
    are made from the label, and an unknown kind counts as secondary."""
    taken: set[str] = set()
    findings = []
    for key, label, kind in rows:
        if not label.strip():
            continue
        key = key or _fresh_key(label, taken)
        taken.add(key)
        findings.append(Finding(key, label.strip(), "main" if kind == "main" else "secondary"))
    return tuple(findings)


def _fresh_key(label: str, taken: set[str]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", label.casefold().encode("ascii", "ignore").decode()).strip("_") or "finding"
    return next(key for n in itertools.count(1) if (key := plain if n == 1 else f"{plain}_{n}") not in taken)


def create_study(
    workspace: Workspace,
    run_id: int,
    *,
    actor: str,
    title: str = "",
    reader_title: str = "",
    findings: str | Sequence[Finding] = "",
    ratings: Sequence[Rating] = DEFAULT_RATINGS,
    directions: Sequence[str] | None = None,
    degree: float | None = None,
    n_per_arm: int = 10,
    allocation: Allocation = "own patients",
    rendering: Rendering = DEFAULT_RENDERING,
    reference: Reference | None = None,
    seed: int = 0,
    ask_profile: bool = False,
) -> int:
    """Begin a draft from a finished run; no image is chosen and none shown yet. Returns the study's id.

    Args:
        findings: the checklist, or the name of one of `FINDING_LISTS` ("" picks the one that fits the run's target).
        directions: names of the arms, default the three best kept directions of the run.
        degree: fixed step along every direction, default the one that the run suggests, else the run's
            (`starting_degree`).
        reference: what stands for the original; default the true original with both transfers, the reconstruction
            with plain rendering.

        ask_profile: whether readers say who they are before their first case (`services.reader_profiles`).

    Raises:
        StudyRefused: the run is not done, or a direction is not one of its own.
    """
    with workspace.session() as session:
        require_researcher(session, actor)
        run = session.get(Run, run_id)
        if run is None or run.kind != "explain" or run.state != "done":
            raise StudyRefused(f"Run {run_id} is no finished run of a method: wait for it, or pick another on Runs.")
        names = [d.name for d in run.directions if d.kept]
        chosen = list(directions) if directions is not None else names[:3]
        if unknown := sorted(set(chosen) - {d.name for d in run.directions}):
            raise StudyRefused(f"Run {run_id} has no direction {', '.join(unknown)}; it kept {', '.join(names)}.")
        if not run.directions:
            chosen = [run.engine or "counterfactual"]
        target = str(run.settings.get("target", ""))
        if isinstance(findings, str):
            findings = FINDING_LISTS[findings or suggested_list(session, run.dataset_id, target)]
        number = (session.scalar(sa.select(sa.func.max(Study.id))) or 0) + 1
        protocol = Protocol(
            title=title or f"{target or run.name}, {direction_name(', '.join(chosen))}",
            reader_title=reader_title or neutral_title(session, run.dataset_id, number),
            findings=tuple(findings),
            ratings=tuple(ratings),
            arms=tuple(arm_of(name) for name in chosen),
            degree=starting_degree(workspace, run) if degree is None else float(degree),
            rendering=rendering,
            reference=reference or ("original" if rendering != "plain" else "reconstruction"),
            seed=seed,
            n_per_arm=n_per_arm,
            allocation=allocation,
            design=Design(readers=PLANNED_READERS),
        )
        protocol = replace(protocol, analysis=_suggestion(protocol))
        study = Study(dataset_id=run.dataset_id, run_id=run.id)
        store_protocol(study, protocol)
        session.add(study)
        session.flush()
        if ask_profile:
            desk_row(session, study.id).ask_profile = True
        record(session, actor, "study created", f"study {study.id}", run=run.id)
        return study.id


def _suggestion(protocol: Protocol) -> AnalysisPlan | None:
    return suggested_plan(
        [(f.key, f.label) for f in protocol.findings],
        [(a.key, a.name) for a in protocol.arms],
        [f.key for f in protocol.findings if f.kind == "main"],
    )


def update_draft(workspace: Workspace, study_id: int, *, actor: str, **changes: Any) -> tuple[str, ...]:
    """Replace fields of a draft's protocol and return what still keeps it from being locked.

    A change of `PAIR_FIELDS` drops the pairs that were made; a change of what is asked after a preview is
    allowed, logged, and named in the report.

    Raises:
        StudyRefused: the study is locked, or a field is unknown.
    """
    known = {field.name for field in dataclasses.fields(Protocol)}
    if unknown := sorted(set(changes) - known):
        raise StudyRefused(f"A protocol has no {', '.join(unknown)}; it has {', '.join(sorted(known))}.")
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        study = draft_of(session, study_id)
        before = protocol_of(study)
        after = replace(before, **changes)
        # A plan that nobody has touched follows findings and arms; one that somebody wrote stays.
        if "analysis" not in changes and before.analysis in (None, _suggestion(before)):
            after = replace(after, analysis=_suggestion(after))
        changed = sorted(name for name in known if getattr(before, name) != getattr(after, name))
        if not changed:
            return problems_of(study, after)
        stale = drop_pairs(session, study) if PAIR_FIELDS & set(changed) else []
        store_protocol(study, after)
        if PLAN_FIELDS & set(changed) and not stale and not validate(after):
            write_plan(session, study)
        late = bool({"findings", "ratings", "questions"} & set(changed)) and was_previewed(session, study_id)
        record(session, actor, "study changed", f"study {study_id}", fields=changed, after_preview=late)
        problems = problems_of(study, after)
    delete_files(workspace, stale)
    return problems


def preview(workspace: Workspace, study_id: int, *, actor: str) -> tuple[PairView, ...]:
    """The pairs of a study for a first look; the first look at a draft is logged.

    Raises:
        StudyRefused: the checklist is not settled or no pairs are made yet: findings come before pictures.
    """
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        study = session.get(Study, study_id)
        if study is None:
            raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
        if not study.protocol.get("findings"):
            raise StudyRefused("List the findings first: they are fixed before anything is shown.")
        if not study.pairs:
            raise StudyRefused("No pairs are made yet: choose images and arms first.")
        first_look = study.state == "draft" and not was_previewed(session, study_id)
        pairs = tuple(pair_view(pair) for pair in study.pairs)
    if first_look:
        log_event(workspace, actor, "study previewed", f"study {study_id}", pairs=len(pairs))
    return pairs


def close_study(workspace: Workspace, study_id: int, *, actor: str) -> None:
    """End the reading: no answer is taken any more. Raises StudyRefused for a study that is not locked."""
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        study = session.get(Study, study_id)
        if study is None or study.state != "locked":
            raise StudyRefused(f"Study {study_id} is not open for reading, so it cannot be closed.")
        study.state, study.closed_at = "closed", now()
        record(session, actor, "study closed", f"study {study_id}", digest=study.digest)
    from services.result_truth import measure_closed

    measure_closed(workspace, study_id, actor=actor)


def copy_study(workspace: Workspace, study_id: int, *, actor: str) -> int:
    """A new draft with the same protocol and no pairs, readers or readings. Returns its id."""
    with workspace.session() as session:
        require_researcher(session, actor)
        source = session.get(Study, study_id)
        if source is None:
            raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
        copy = Study(dataset_id=source.dataset_id, run_id=source.run_id)
        protocol = protocol_of(source)
        store_protocol(copy, replace(protocol, title=f"{protocol.title} (copy)"))
        session.add(copy)
        session.flush()
        copy_desk(session, study_id, copy.id)
        record(session, actor, "study created", f"study {copy.id}", copy_of=study_id)
        return copy.id


def delete_draft(workspace: Workspace, study_id: int, *, actor: str) -> None:
    """Remove a draft and its pairs. Raises StudyRefused for a locked or closed study."""
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        study = draft_of(session, study_id)
        delete_round(session, study_id)
        stale = drop_pairs(session, study)
        remove_study(session, study_id)
        record(session, actor, "study deleted", f"study {study_id}")
    delete_files(workspace, stale)
