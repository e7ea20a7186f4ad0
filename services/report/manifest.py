"""What is needed to repeat a study: versions, seeds, hashes of weights, images and files, the protocol and its
digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.events import first_broken
from db.models import Event, Model, Pair, Reading, Run, StudyReader, StudyVersion, Trial
from services.results import StudyResults
from services.runs import versions
from services.workspace import Workspace, sha256


def manifest(workspace: Workspace, found: StudyResults, files: Mapping[str, bytes], made: datetime) -> str:
    """The manifest as JSON. files: name -> content of every other file of the export, hashed here."""
    study = found.study
    with workspace.session() as session:
        run = session.get(Run, study.run_id) if study.run_id else None
        runs = [*filter(None, [run]), *_further_runs(session, found)]
        hashes = dict(session.execute(sa.select(Pair.id, Pair.sha256).where(Pair.study_id == study.id)).tuples().all())
        models = [
            session.get(Model, i)
            for i in dict.fromkeys(i for one in runs for i in (one.classifier_id, one.generator_id))
            if i is not None
        ]
        readings = session.scalar(
            sa.select(sa.func.count(Reading.id))
            .join(Trial, Trial.id == Reading.trial_id)
            .join(StudyReader, StudyReader.id == Trial.study_reader_id)
            .where(StudyReader.study_id == study.id)
        )
        locked = session.scalars(
            sa.select(StudyVersion).where(StudyVersion.study_id == study.id).order_by(StudyVersion.number)
        ).all()
        last = session.scalar(sa.select(Event.hash).order_by(Event.id.desc()).limit(1))
        content: dict[str, Any] = {
            "study": {
                "title": study.title,
                "state": study.state,
                "digest": study.digest,
                "seed": study.seed,
                "locked_at": _time(study.locked_at),
                "closed_at": _time(study.closed_at),
                "versions": [{"number": v.number, "digest": v.digest, "reason": v.reason} for v in locked],
            },
            "made": _time(made),
            "packages": versions(),
            "run": _run(run),
            "further_runs": [_run(one) for one in runs if one is not run],
            "models": [{"name": m.name, "kind": m.kind, "sha256": m.sha256} for m in models if m is not None],
            "pairs": {case.label: {"arm": case.arm, "sha256": hashes.get(case.pair.id)} for case in found.cases},
            "readings_stored": readings,
            "simulated_readers": list(found.simulated),
            "looks": [
                {"planned": k.planned, "at": _time(k.at), "share": k.share, "reason": k.reason}
                for k in found.looks.taken
            ],
            "log": {"last_hash": last, "unbroken": first_broken(session) is None},
            "command": f"cfreader report --study {study.id}",
            "files": {name: sha256(data) for name, data in sorted(files.items())},
        }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _further_runs(session: Session, found: StudyResults) -> list[Run]:
    """Runs that arms took beside the study's own."""
    ids = {arm.run for arm in found.study.protocol.arms} - {None, found.study.run_id}
    return list(session.scalars(sa.select(Run).where(Run.id.in_(ids)).order_by(Run.id)))


def _run(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "name": run.name, "kind": run.kind, "engine": run.engine, "seed": run.seed, "settings": run.settings,
        "versions": run.versions, "inputs": run.inputs,
    }  # fmt: skip


def _time(when: datetime | None) -> str | None:
    return when.isoformat(timespec="seconds") if when else None
