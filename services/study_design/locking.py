"""Locking a study, its digest, amendments, and telling whether anything was changed behind the program's back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.study.protocol import Protocol, digest, from_json, lock_problems
from db.events import record
from db.models import Event, Pair, Reading, Run, Study, StudyReader, StudyVersion, Trial, now
from services.permissions import require
from services.study_design.clock import clock_notes, clock_problems
from services.study_design.drafts import draft_of, store_protocol
from services.study_design.moving import pair_hash
from services.study_design.planning import planned, write_plan
from services.study_views import StudyRefused, problems_of, protocol_of
from services.workspace import Workspace, sha256

# What an amendment may change: words, questions that are added, the plan of analysis and further readers. Pictures and
# schedules that were read cannot become others.
AMENDABLE = frozenset({"title", "reader_title", "notes", "analysis", "findings", "design"})


@dataclass(frozen=True)
class VersionView:
    """A locked version of a study's protocol."""

    number: int
    protocol: Protocol
    manifest: dict[str, Any]
    digest: str
    reason: str
    author: str
    locked_at: datetime


@dataclass(frozen=True)
class Integrity:
    """Whether a locked study is what was locked; `changes` names what is not, a sentence each; `notes` what else must
    be known of it (a clock that went backwards)."""

    digest: str | None
    changes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def intact(self) -> bool:
        return self.digest is not None and not self.changes


def lock_study(workspace: Workspace, study_id: int, *, actor: str) -> str:
    """Freeze a draft: protocol, schedule, pairs and weights get one digest, and readers may be invited. Returns it.

    Raises:
        StudyRefused: with every problem that is left, a sentence each; or a pair's file has changed on disk.
    """
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        study = draft_of(session, study_id)
        protocol = protocol_of(study)
        if problems := [*problems_of(study, protocol), *clock_problems(session, study)]:
            raise StudyRefused(" ".join(problems))
        for pair in study.pairs:
            if pair_hash(workspace.get(pair.original_key), workspace.get(pair.counterfactual_key)) != pair.sha256:
                raise StudyRefused(f"The files of pair {pair.id} have changed: make the pairs again.")
        write_plan(session, study)
        study.version = 1
        study.state, study.locked_at = "locked", now()
        _write_version(session, study, protocol, "", actor)
        record(session, actor, "study locked", f"study {study_id}", digest=study.digest)
        return study.digest or ""


def _write_version(session: Session, study: Study, protocol: Protocol, reason: str, actor: str) -> None:
    found = manifest(session, study)
    study.digest = digest(protocol, found)
    session.add(
        StudyVersion(
            study_id=study.id,
            number=study.version,
            protocol=study.protocol,
            manifest=found,
            digest=study.digest,
            reason=reason,
            author=actor,
            locked_at=study.locked_at if study.version == 1 else now(),
        )
    )
    session.flush()


def manifest(session: Session, study: Study) -> dict[str, Any]:
    """What the digest covers beside the protocol: version, every pair, right answers, the schedule, rule and runs."""
    pairs = list(session.scalars(sa.select(Pair).where(Pair.study_id == study.id).order_by(Pair.id)))
    number = {pair.id: i for i, pair in enumerate(pairs, 1)}
    plans = planned(session, study.id)
    schedule = [
        [slot, t.position, number[int(t.pair_id)], t.purpose, t.original_side]
        for slot, turns in sorted(plans.items())
        for t in turns
    ]
    run_ids = {study.run_id, *(arm.get("run") for arm in study.protocol.get("arms", ()))} - {None}
    runs = session.scalars(sa.select(Run).where(Run.id.in_(run_ids)).order_by(Run.id))
    return {
        "version": study.version,
        "pairs": [[number[p.id], p.arm, p.kind, p.patient, p.sha256, p.truth] for p in pairs],
        "selection": pairs[0].meta.get("selection") if pairs else None,
        "schedule": sha256(_json(schedule).encode()),
        "planned_readers": len(plans),
        "flow": study.flow,
        "runs": [{"run": run.id, "engine": run.engine, "seed": run.seed, "inputs": run.inputs} for run in runs],
    }


def _first_digest(session: Session, study: Study) -> str:
    """The digest as the first release computed it, for studies that were locked by it."""
    run = session.get(Run, study.run_id) if study.run_id else None
    extra = {
        "pairs": sorted([pair.arm, pair.patient, pair.sha256] for pair in study.pairs),
        "selection": study.pairs[0].meta.get("selection") if study.pairs else None,
        "run": {"engine": run.engine, "seed": run.seed, "inputs": run.inputs} if run else None,
    }
    return digest(protocol_of(study), extra)


def versions_of(session: Session, study_id: int) -> list[StudyVersion]:
    """The locked versions, oldest first; none for a draft or a study locked by the first release."""
    return list(
        session.scalars(sa.select(StudyVersion).where(StudyVersion.study_id == study_id).order_by(StudyVersion.number))
    )


def versions(workspace: Workspace, study_id: int) -> tuple[VersionView, ...]:
    """Every locked version with its protocol, digest and reason, oldest first."""
    with workspace.session() as session:
        return tuple(
            VersionView(
                v.number, from_json(json.dumps(v.protocol)), v.manifest, v.digest, v.reason, v.author, v.locked_at
            )
            for v in versions_of(session, study_id)
        )


def integrity(workspace: Workspace, study_id: int, files: bool = True) -> Integrity:
    """Compare a locked study with what was locked: protocol, versions, schedule, pairs, files, answers, events.

    files: also read every picture again and hash it. Finds changes made through SQL or on disk.
    """
    with workspace.session() as session:
        study = session.get(Study, study_id)
        if study is None or study.digest is None:
            return Integrity(None, ())
        changes = _row_changes(session, study)
        changes += _trial_changes(session, study)
        changes += _answer_changes(session, study)
        notes = clock_notes(session, study_id)
        pairs = [(p.id, p.original_key, p.counterfactual_key, p.sha256) for p in study.pairs]
        locked = study.digest
    if files:
        changes += _file_changes(workspace, pairs)
    return Integrity(locked, tuple(changes), notes)


def verify_digest(workspace: Workspace, study_id: int) -> bool:
    """Whether protocol, schedule, rule, pairs and answers are those of the lock (files are read again)."""
    return integrity(workspace, study_id).intact


def _row_changes(session: Session, study: Study) -> list[str]:
    stored = versions_of(session, study.id)
    if not stored:
        return [] if _first_digest(session, study) == study.digest else ["Protocol, pairs or run have been changed."]
    changes = []
    for version in stored:
        protocol = from_json(json.dumps(version.protocol))
        if digest(protocol, version.manifest) != version.digest:
            changes.append(f"The record of version {version.number} has been changed.")
    last = stored[-1]
    if (study.version, study.digest) != (last.number, last.digest):
        changes.append("The study does not stand on its last version.")
    if study.protocol != last.protocol:
        names = sorted(
            key for key in {*study.protocol, *last.protocol} if study.protocol.get(key) != last.protocol.get(key)
        )
        changes.append(f"The protocol has been changed ({', '.join(names)}).")
    current = manifest(session, study)
    for part, words in (
        ("pairs", "Pairs"), ("schedule", "The schedule"), ("planned_readers", "The number of schedules"),
        ("selection", "The rule of selection"), ("flow", "The counts of the gate"),
        ("runs", "The runs behind the arms"),
    ):  # fmt: skip
        if current[part] != last.manifest.get(part):
            changes.append(f"{words} differ from what was locked.")
    logged = _logged_digests(session, study.id)
    if logged and [v.digest for v in stored] != logged:
        changes.append("The event log holds other digests than the versions.")
    return changes


def _logged_digests(session: Session, study_id: int) -> list[str]:
    query = (
        sa.select(Event)
        .where(Event.subject == f"study {study_id}", Event.kind.in_(("study locked", "study amended")))
        .order_by(Event.id)
    )
    return [str(event.data.get("digest")) for event in session.scalars(query)]


def _trial_changes(session: Session, study: Study) -> list[str]:
    """Readers whose cases are not those of their planned schedule (first owners of a slot only)."""
    plans = planned(session, study.id)
    rows = session.execute(
        sa.select(StudyReader.label, StudyReader.slot, Trial)
        .join(Trial, Trial.study_reader_id == StudyReader.id)
        .where(StudyReader.study_id == study.id, StudyReader.replaces.is_(None), StudyReader.slot.in_(plans))
        .order_by(StudyReader.id, Trial.position)
    )
    found: dict[tuple[str, int], list[tuple[Any, ...]]] = {}
    for label, slot, trial in rows.tuples():
        if slot is None:
            continue
        row = (trial.position, trial.pair_id, trial.original_side, trial.purpose)
        found.setdefault((label, slot), []).append(row)
    return [
        f"The cases of reader {label} differ from the schedule that was locked."
        for (label, slot), trials in found.items()
        if trials != [(t.position, t.pair_id, t.original_side, t.purpose) for t in plans[slot]]
    ]


def _answer_changes(session: Session, study: Study) -> list[str]:
    """Answers whose text is not the one whose SHA-256 the event log holds, or that the log does not know."""
    rows = session.execute(
        sa.select(StudyReader.label, Reading)
        .join(Trial, Trial.id == Reading.trial_id)
        .join(StudyReader, StudyReader.id == Trial.study_reader_id)
        .where(StudyReader.study_id == study.id, StudyReader.simulated.is_(False))
    ).all()
    if not rows:
        return []
    subjects = {f"trial {reading.trial_id}" for _, reading in rows}
    events = session.scalars(sa.select(Event).where(Event.kind == "reading saved"))
    logged = {(e.subject, e.data["sequence"]): e.data["sha256"] for e in events if e.subject in subjects}
    wrong: dict[str, int] = {}
    for label, reading in rows:
        whole = reading.answers | ({"measures": reading.measures} if reading.measures else {})
        if logged.get((f"trial {reading.trial_id}", reading.sequence)) != sha256(_json(whole).encode()):
            wrong[label] = wrong.get(label, 0) + 1
    return [f"{n} answers of reader {label} differ from the event log." for label, n in wrong.items()]


def _file_changes(workspace: Workspace, pairs: Sequence[tuple[int, str, str, str]]) -> list[str]:
    changed = 0
    for _, original, counterfactual, expected in pairs:
        try:
            changed += pair_hash(workspace.get(original), workspace.get(counterfactual)) != expected
        except FileNotFoundError:
            changed += 1
    return [f"The pictures of {changed} of {len(pairs)} pairs have been changed or are gone."] if changed else []


def amend_study(workspace: Workspace, study_id: int, *, actor: str, reason: str, **changes: Any) -> int:
    """A new version of a locked study, with its reason; returns the version's number.

    Changes may be of `AMENDABLE` fields: titles, notes, analysis, findings that are added or reworded, more planned
    readers. Answers keep the version they were given under, and cases that are complete stay complete.

    Raises:
        StudyRefused: the study is not open, the reason is empty, nothing changes, or what changes would make answers
            or schedules that exist into others.
    """
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        study = session.get(Study, study_id)
        if study is None or study.state != "locked":
            raise StudyRefused(f"Study {study_id} is not open: a draft is edited, a closed study is copied.")
        if not reason.strip():
            raise StudyRefused("Give the reason for the amendment: it stands in the report.")
        if not versions_of(session, study_id):
            raise StudyRefused(
                "This study was locked by an earlier release, whose record has no versions: copy it to change it."
            )
        before = protocol_of(study)
        after = replace(before, **changes)
        changed = sorted(name for name in changes if getattr(before, name) != getattr(after, name))
        if not changed:
            raise StudyRefused("Nothing is changed: an amendment needs a change.")
        if problems := [*_not_amendable(changed, before, after), *lock_problems(after)]:
            raise StudyRefused(" ".join(problems))
        store_protocol(study, after)
        if "design" in changed:
            _plan_more(session, study, before.design.readers)
        study.version += 1
        _write_version(session, study, after, reason.strip(), actor)
        record(
            session, actor, "study amended", f"study {study_id}", version=study.version, digest=study.digest,
            fields=changed, reason=reason.strip(),
        )  # fmt: skip
        return study.version


def _not_amendable(changed: Sequence[str], before: Protocol, after: Protocol) -> list[str]:
    problems = []
    if fixed := sorted(set(changed) - AMENDABLE):
        problems.append(
            f"{', '.join(fixed).capitalize()} cannot be amended: pictures and schedules that are read stay as they "
            "are. Copy the study instead."
        )
    known = {finding.key for finding in after.findings}
    if gone := [finding.label for finding in before.findings if finding.key not in known]:
        problems.append(f"Findings cannot be taken out, answers to them exist: keep {', '.join(gone)}.")
    if "design" in changed:
        if replace(after.design, readers=before.design.readers) != before.design:
            problems.append("Of the design only the number of planned readers can grow.")
        elif after.design.readers < before.design.readers:
            problems.append("The number of planned readers can only grow.")
        elif before.design.cases == "blocks":
            problems.append(
                "In incomplete blocks each case has its readers: further readers have no cases. Copy the study."
            )
    return problems


def _plan_more(session: Session, study: Study, planned_before: int) -> None:
    """Schedules of readers that an amendment adds; those that exist stay as they are."""
    kept = planned(session, study.id)
    write_plan(session, study)
    again = planned(session, study.id)
    if any(again.get(slot) != turns for slot, turns in kept.items()):
        raise StudyRefused(
            f"The schedules of the first {planned_before} readers would change: their pairs are not those that were "
            "locked."
        )


def _json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
