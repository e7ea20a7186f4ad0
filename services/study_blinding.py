"""What a blinded statistician gets: the decoded data with the arms called "arm 1", "arm 2", ... until unblinding."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from db.events import record
from db.models import Study, now
from services.permissions import require
from services.reader_profiles import desk_row, settings_of
from services.results import results
from services.study_views import StudyRefused, study_view
from services.workspace import Workspace

# Columns from which an arm could be told: which side was the original is no secret any more, the images' class and
# what the classifier made of them are.
TELLING = ("source_class", "flipped", "pair_kind")


@dataclass(frozen=True)
class BlindData:
    """Tidy tables of a closed study. `arms`: what stands for an arm -> its name, empty until unblinding."""

    title: str
    decoded: pd.DataFrame
    rated: pd.DataFrame
    findings: dict[str, str]
    unblinded_at: datetime | None
    arms: dict[str, str]


def arm_masks(workspace: Workspace, study_id: int, arms: list[str]) -> dict[str, str]:
    """Arm key -> "arm 1", ... in an order that follows from the workspace's key, so that neither the protocol's order
    nor the alphabet tells which is which."""
    order = sorted(
        arms, key=lambda arm: hmac.new(workspace.key, f"mask {study_id} {arm}".encode(), hashlib.sha256).digest()
    )
    return {arm: f"arm {i}" for i, arm in enumerate(order, 1)}


def blind_data(workspace: Workspace, study_id: int, viewer: int | str) -> BlindData:
    """The data of a closed study for its statistician.

    Raises NotAllowed without the right, StudyRefused while the study is read.
    """
    with workspace.session() as session:
        require(session, viewer, study_id, "masked results")
        unblinded = settings_of(session, study_id).unblinded_at
    view = study_view(workspace, study_id)
    if view.state != "closed":
        raise StudyRefused("The data are handed over when the reading has ended.")
    found = results(workspace, study_id)
    names = {arm.key: arm.name for arm in view.protocol.arms}
    keys = list(dict.fromkeys([*names, *found.decoded["arm"].unique()]))
    masks = arm_masks(workspace, study_id, [str(key) for key in keys])
    tables = [table.drop(columns=list(TELLING), errors="ignore") for table in (found.decoded, found.rated)]
    # Cases in the order of their numbers would come arm by arm, as the protocol lists the arms.
    masked = [_renumbered(workspace, study_id, table.assign(arm=table["arm"].map(masks))) for table in tables]
    return BlindData(
        title=view.reader_title,
        decoded=masked[0],
        rated=masked[1],
        findings={finding.key: finding.label for finding in view.protocol.findings},
        unblinded_at=unblinded,
        arms={masks[str(key)]: names.get(str(key), str(key)) for key in keys} if unblinded else {},
    )


def _renumbered(workspace: Workspace, study_id: int, table: pd.DataFrame) -> pd.DataFrame:
    """Pairs and patients under numbers that follow from the workspace's key, rows sorted by reader and position."""
    out = table.copy()
    for column, letter in (("pair", "C"), ("patient", "P")):
        values = sorted(
            out[column].unique(),
            key=lambda v: hmac.new(workspace.key, f"number {study_id} {v}".encode(), hashlib.sha256).digest(),
        )
        out[column] = out[column].map({value: f"{letter}{i:02d}" for i, value in enumerate(values, 1)})
    return out.sort_values(["reader", "position"], kind="stable").reset_index(drop=True)


def unblind(workspace: Workspace, study_id: int, *, actor: str) -> None:
    """Let the statistician know the arms; logged, once, after the reading. Raises StudyRefused while it goes on."""
    with workspace.session() as session:
        require(session, actor, study_id, "results")
        study = session.get(Study, study_id)
        if study is None or study.state != "closed":
            raise StudyRefused("The statistician stays blind while the study is read: close it first.")
        row = desk_row(session, study_id)
        if row.unblinded_at is None:
            row.unblinded_at = now()
            record(session, actor, "statistician unblinded", f"study {study_id}")
