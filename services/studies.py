"""Designing a reader study: draft, preview, lock, close. A locked study never changes again; a copy may."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.rendering import DEFAULT_RENDERING, Rendering
from cfcore.study.protocol import (
    DEFAULT_RATINGS,
    FINDING_LISTS,
    Allocation,
    Arm,
    Finding,
    Protocol,
    Rating,
    Reference,
    canonical_json,
    digest,
)
from cfcore.wording import direction_name
from db.events import record
from db.models import Run, Study, now
from services.log import log_event
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
from services.workspace import Workspace, sha256

__all__ = [
    "DEFAULT_RATINGS",
    "FINDING_LISTS",
    "Arm",
    "Finding",
    "PairView",
    "Protocol",
    "Rating",
    "ReaderView",
    "StudyRefused",
    "StudySummary",
    "StudyView",
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
    "suggested_list",
    "update_draft",
    "verify_digest",
]

# A change of one of these asks for other pairs; the rest only words the study.
PAIR_FIELDS = frozenset({"arms", "degree", "rendering", "reference", "seed", "n_per_arm", "allocation"})
NEUTRAL_TITLE = "Chest radiographs, series {number}"


def suggested_list(class_name: str) -> str:
    """The name of the finding list that fits a positive class called `class_name`, "cardiomegaly" where none does."""
    name = class_name.casefold()
    return next((key for key in FINDING_LISTS if key in name), "cardiomegaly")


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
) -> int:
    """Begin a draft from a finished run; no image is chosen and none shown yet. Returns the study's id.

    Args:
        findings: the checklist, or the name of one of `FINDING_LISTS` ("" picks the one that fits the run's target).
        directions: names of the arms, default the three best kept directions of the run.
        degree: fixed step along every direction, default the run's.
        reference: what stands for the original; default the true original with both transfers, the reconstruction
            with plain rendering.

    Raises:
        StudyRefused: the run is not done, or a direction is not one of its own.
    """
    with workspace.session() as session:
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
        checklist = FINDING_LISTS[findings or suggested_list(target)] if isinstance(findings, str) else findings
        number = (session.scalar(sa.select(sa.func.max(Study.id))) or 0) + 1
        protocol = Protocol(
            title=title or f"{target or run.name}, {direction_name(', '.join(chosen))}",
            reader_title=reader_title or NEUTRAL_TITLE.format(number=number),
            findings=tuple(checklist),
            ratings=tuple(ratings),
            arms=tuple(arm_of(name) for name in chosen),
            degree=float(degree if degree is not None else run.settings.get("config", {}).get("degree", 10.0)),
            rendering=rendering,
            reference=reference or ("original" if rendering != "plain" else "reconstruction"),
            seed=seed,
            n_per_arm=n_per_arm,
            allocation=allocation,
        )
        study = Study(dataset_id=run.dataset_id, run_id=run.id)
        _store(study, protocol)
        session.add(study)
        session.flush()
        record(session, actor, "study created", f"study {study.id}", run=run.id)
        return study.id


def draft_of(session: Session, study_id: int) -> Study:
    """The draft `study_id`. Raises StudyRefused where there is none or it is locked."""
    study = session.get(Study, study_id)
    if study is None:
        raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
    if study.state != "draft":
        raise StudyRefused(f"Study {study_id} is {study.state} and cannot change any more: copy it instead.")
    return study


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
        study = draft_of(session, study_id)
        before = protocol_of(study)
        after = replace(before, **changes)
        changed = sorted(name for name in known if getattr(before, name) != getattr(after, name))
        if not changed:
            return problems_of(study, after)
        stale = drop_pairs(session, study) if PAIR_FIELDS & set(changed) else []
        _store(study, after)
        late = bool({"findings", "ratings", "questions"} & set(changed)) and was_previewed(session, study_id)
        record(session, actor, "study changed", f"study {study_id}", fields=changed, after_preview=late)
        problems = problems_of(study, after)
    _delete_files(workspace, stale)
    return problems


def preview(workspace: Workspace, study_id: int, *, actor: str) -> tuple[PairView, ...]:
    """The pairs of a study for a first look; the first look at a draft is logged.

    Raises:
        StudyRefused: the checklist is not settled or no pairs are made yet: findings come before pictures.
    """
    with workspace.session() as session:
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


def lock_study(workspace: Workspace, study_id: int, *, actor: str) -> str:
    """Freeze a draft: protocol and pairs get one digest, and readers may be invited. Returns the digest.

    Raises:
        StudyRefused: with every problem that is left, a sentence each; or a pair's file has changed on disk.
    """
    with workspace.session() as session:
        study = draft_of(session, study_id)
        if problems := problems_of(study, protocol_of(study)):
            raise StudyRefused(" ".join(problems))
        for pair in study.pairs:
            if pair_hash(workspace.get(pair.original_key), workspace.get(pair.counterfactual_key)) != pair.sha256:
                raise StudyRefused(f"The files of pair {pair.id} have changed: make the pairs again.")
        study.digest = study_digest(session, study)
        study.state, study.locked_at = "locked", now()
        record(session, actor, "study locked", f"study {study_id}", digest=study.digest)
        return study.digest


def close_study(workspace: Workspace, study_id: int, *, actor: str) -> None:
    """End the reading: no answer is taken any more. Raises StudyRefused for a study that is not locked."""
    with workspace.session() as session:
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
        source = session.get(Study, study_id)
        if source is None:
            raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
        copy = Study(dataset_id=source.dataset_id, run_id=source.run_id)
        protocol = protocol_of(source)
        _store(copy, replace(protocol, title=f"{protocol.title} (copy)"))
        session.add(copy)
        session.flush()
        record(session, actor, "study created", f"study {copy.id}", copy_of=study_id)
        return copy.id


def delete_draft(workspace: Workspace, study_id: int, *, actor: str) -> None:
    """Remove a draft and its pairs. Raises StudyRefused for a locked or closed study."""
    with workspace.session() as session:
        study = draft_of(session, study_id)
        stale = drop_pairs(session, study)
        session.delete(study)
        record(session, actor, "study deleted", f"study {study_id}")
    _delete_files(workspace, stale)


def study_digest(session: Session, study: Study) -> str:
    """SHA-256 over protocol, selection rule, the hash of every pair and the inputs of the run behind them."""
    run = session.get(Run, study.run_id) if study.run_id else None
    pairs = sorted([pair.arm, pair.patient, pair.sha256] for pair in study.pairs)
    extra = {
        "pairs": pairs,
        "selection": study.pairs[0].meta.get("selection") if study.pairs else None,
        "run": {"engine": run.engine, "seed": run.seed, "inputs": run.inputs} if run else None,
    }
    return digest(protocol_of(study), extra)


def verify_digest(workspace: Workspace, study_id: int) -> bool:
    """Whether protocol, rule and pairs still give the digest that was stored at lock (the files are read again)."""
    with workspace.session() as session:
        study = session.get(Study, study_id)
        if study is None or study.digest is None:
            return False
        files = ((workspace.get(p.original_key), workspace.get(p.counterfactual_key), p) for p in study.pairs)
        intact = all(pair_hash(original, moved) == pair.sha256 for original, moved, pair in files)
        return intact and study_digest(session, study) == study.digest


def pair_hash(original: bytes, counterfactual: bytes) -> str:
    """SHA-256 of both stored files, original first."""
    return sha256(original + counterfactual)


def drop_pairs(session: Session, study: Study) -> list[str]:
    """Remove a draft's pairs; returns the keys of their files, to be deleted once this is committed."""
    keys = [key for pair in study.pairs for key in (pair.original_key, pair.counterfactual_key)]
    for pair in list(study.pairs):
        session.delete(pair)
    session.flush()
    session.expire(study, ["pairs"])
    return keys


def _store(study: Study, protocol: Protocol) -> None:
    study.protocol = json.loads(canonical_json(protocol))
    study.title, study.reader_title, study.seed = protocol.title, protocol.reader_title, protocol.seed


def _delete_files(workspace: Workspace, keys: Sequence[str]) -> None:
    for key in keys:
        workspace.delete(key)
