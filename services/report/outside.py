"""What stands beside the readings in a report: the chair's decisions and what becomes of the results with them, and
readers scored against reference answers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfcore.study.adjudicated import ADJUDICATED, PLACES, differing_readers, raw_and_adjudicated, settled, voices
from cfcore.study.reference import accuracy_table
from services.adjudication import adjudicated_decisions
from services.reader_scores import SEED, real_or_generated, scored_readings
from services.reference_answers import reference_rows
from services.results import StudyResults
from services.workspace import Workspace

ACTOR = "export"


def outside_tables(workspace: Workspace, found: StudyResults) -> dict[str, pd.DataFrame]:
    """File name -> table, of a closed study; a table that would be empty is left out. Raw answers are in other files.

    adjudicated: a row a decision. adjudicated-findings: raw and settled results side by side. adjudicated-readers: whom
    the chair did not follow, how often. reference-answers: what is held to be true of the originals. scores-by-reader
    (with a row "adjudicated"), scores-by-finding, reader-scores (both at once), single-scores: accuracy against it.
    real-or-generated: d'.
    """
    if found.study.state != "closed":
        return {}
    decisions = adjudicated_table(workspace, found)
    tables = {"adjudicated": decisions}
    cases = settled(found.decoded, decisions)
    if len(decisions):
        protocol = found.study.protocol
        rng = np.random.default_rng([found.study.seed, *b"adjudicated"])
        tables["adjudicated-findings"] = raw_and_adjudicated(
            found.findings, cases, protocol.findings, protocol.arms, rng
        )
        tables["adjudicated-readers"] = differing_readers(found.decoded, decisions)
    if found.study.protocol.reference == "original":
        reference = reference_table(workspace, found)
        tables |= {"reference-answers": reference}
        if len(reference):
            tables |= score_tables(workspace, found, reference, cases if len(decisions) else None)
    tables["real-or-generated"] = real_or_generated(workspace, found.study.id, ACTOR)
    return {name: table for name, table in tables.items() if len(table)}


def adjudicated_table(workspace: Workspace, found: StudyResults) -> pd.DataFrame:
    """One row a decision: pair, arm, finding, which readers saw it where and how many, what the chair decided, why and
    when."""
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
    return voices(found.decoded, pd.DataFrame(rows, columns=[*columns, "decided_at"]))


def reference_table(workspace: Workspace, found: StudyResults) -> pd.DataFrame:
    """One row per pair and finding with a reference answer: pair, patient, finding, present, source."""
    known = {row.image_id: row for row in reference_rows(workspace, found.study.id, ACTOR)}
    rows = [
        {
            "pair": case.label,
            "patient": case.patient,
            "finding": finding,
            "present": present,
            "source": known[case.pair.image_id].sources[finding],
        }
        for case in found.cases
        if case.pair.kind == "counterfactual" and case.pair.image_id in known
        for finding, present in known[case.pair.image_id].answers.items()
        if present is not None
    ]
    return pd.DataFrame(rows, columns=["pair", "patient", "finding", "present", "source"])


def score_tables(
    workspace: Workspace, found: StudyResults, reference: pd.DataFrame, cases: pd.DataFrame | None
) -> dict[str, pd.DataFrame]:
    """Readers against the reference, by reader and by finding; with `cases` the settled answers as one more reader."""
    study = found.study
    scored = scored_readings(workspace, study.id, ACTOR)
    chair = scored_cases(cases, reference) if cases is not None else None
    tables = {}
    for name, by in (
        ("scores-by-reader", ["reader"]),
        ("scores-by-finding", ["finding"]),
        ("reader-scores", ["reader", "finding"]),
    ):
        table = accuracy_table(scored, np.random.default_rng([study.seed, SEED]), by=by)
        if chair is not None and "reader" in by:
            table = _with(table, accuracy_table(chair, np.random.default_rng([study.seed, SEED, 1]), by=by))
        tables[name] = table
    if study.protocol.single_share:
        alone = scored_readings(workspace, study.id, ACTOR, "single")
        tables["single-scores"] = accuracy_table(alone, np.random.default_rng([study.seed, SEED, 2]), by=["reader"])
    return {name: table[table["readings"] > 0] for name, table in tables.items()}


def scored_cases(cases: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """`settled` answers as `accuracy_table` takes them: reader "adjudicated", called, truth."""
    keys = zip(reference["pair"], reference["finding"], strict=True)
    known = dict(zip(keys, reference["present"], strict=True))
    truth = [known.get(key) for key in zip(cases["pair"], cases["finding"], strict=True)]
    columns = ["reader", "patient", "pair", "arm", "finding"]
    rows = cases[columns].assign(
        reader=ADJUDICATED, called=cases["in_original"], truth=pd.array(truth, dtype="boolean")
    )
    return rows.astype({"called": "boolean", "truth": "boolean"})


def _with(table: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """One table after the other; as objects, so that a column which is empty in one keeps its values in the other."""
    return pd.concat([table.astype(object), more.astype(object)], ignore_index=True)
