"""What every change of a draft goes through: only drafts change, and pairs go with everything made from them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.study.protocol import Protocol, canonical_json
from db.models import ExcludedPair, PlannedTrial, Study
from services.rehearsal_removal import remove_copies
from services.study_views import StudyRefused
from services.workspace import Workspace


def draft_of(session: Session, study_id: int) -> Study:
    """The draft `study_id`. Raises StudyRefused where there is none or it is locked."""
    study = session.get(Study, study_id)
    if study is None:
        raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
    if study.state != "draft":
        raise StudyRefused(
            f"Study {study_id} is {study.state} and cannot change any more: copy it instead, or amend it with a reason."
        )
    return study


def store_protocol(study: Study, protocol: Protocol) -> None:
    """Write the protocol and the fields that lists show without reading it."""
    study.protocol = json.loads(canonical_json(protocol))
    study.title, study.reader_title, study.seed = protocol.title, protocol.reader_title, protocol.seed


def drop_pairs(session: Session, study: Study) -> list[str]:
    """Remove a draft's pairs, exclusions, planned schedules and rehearsals; returns the keys of their files, to be
    deleted once this is committed."""
    remove_copies(session, study.id, "system")
    excluded = list(session.scalars(sa.select(ExcludedPair).where(ExcludedPair.study_id == study.id)))
    keys = [key for pair in study.pairs for key in (pair.original_key, pair.counterfactual_key)]
    keys += [key for gone in excluded for key in (gone.original_key, gone.reconstruction_key) if key]
    session.execute(sa.delete(PlannedTrial).where(PlannedTrial.study_id == study.id))
    for row in (*study.pairs, *excluded):
        session.delete(row)
    study.flow = {}
    session.flush()
    session.expire(study, ["pairs"])
    return keys


def delete_files(workspace: Workspace, keys: Sequence[str]) -> None:
    """Remove stored files that no row names any more."""
    for key in keys:
        workspace.delete(key)
