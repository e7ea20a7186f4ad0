"""What stands beside the readings in an export: the chair's decisions, and readers scored against reference answers."""

from __future__ import annotations

import pandas as pd

from services.adjudication import PLACES, adjudicated_decisions
from services.reader_scores import accuracy, real_or_generated
from services.results import StudyResults
from services.workspace import Workspace

ACTOR = "export"


def outside_tables(workspace: Workspace, found: StudyResults) -> dict[str, pd.DataFrame]:
    """Name -> table, of a closed study; a table that would be empty is left out. Raw answers are in other files."""
    if found.study.state != "closed":
        return {}
    tables = {"adjudicated": adjudicated_table(workspace, found)}
    if found.study.protocol.reference == "original":
        scores = accuracy(workspace, found.study.id, ACTOR, ("reader", "finding"))
        tables["reader-scores"] = scores[scores["readings"] > 0]
        tables["real-or-generated"] = real_or_generated(workspace, found.study.id, ACTOR)
    return {name: table for name, table in tables.items() if len(table)}


def adjudicated_table(workspace: Workspace, found: StudyResults) -> pd.DataFrame:
    """One row a decision: pair, arm, finding, how many readers saw it where, what the chair decided, why and when."""
    labels = {case.pair.id: (case.label, case.arm) for case in found.cases}
    rows = [
        {
            "pair": labels[one.pair_id][0],
            "arm": labels[one.pair_id][1],
            "finding": one.finding,
            **{f"readers_{place}": one.votes.get(place, 0) for place in PLACES},
            "decided": one.place,
            "reason": one.reason,
            "chair": one.chair,
            "decided_at": one.decided_at.isoformat(),
        }
        for one in adjudicated_decisions(workspace, found.study.id)
        if one.pair_id in labels
    ]
    columns = ("pair", "arm", "finding", *(f"readers_{place}" for place in PLACES), "decided", "reason", "chair")
    return pd.DataFrame(rows, columns=[*columns, "decided_at"])
