"""An export carries the chair's decisions and the readers' scores beside the raw answers."""

from __future__ import annotations

import sqlalchemy as sa

from cfcore.reports.tidy import to_csv
from db.models import DisputedCase, Study
from services import adjudication
from services.accounts import ensure_account
from services.adjudication import to_side
from services.reference_answers import reference_rows, set_reference
from services.report.outside import outside_tables
from services.results import results
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs
from tests.services.test_adjudication import answer_all


def test_decisions_and_scores_stand_beside_the_raw_answers(workspace: Workspace) -> None:
    study = make_study(workspace, noise_pairs(3))
    for i in range(2):
        answer_all(workspace, add_reader(workspace, study, f"r{i}", f"Dr. {i}"), {(1, "line"): "both"} if i else {})
    with workspace.session() as session:
        session.get_one(Study, study).state = "closed"
    assert outside_tables(workspace, results(workspace, study)) == {}
    boss = ensure_account(workspace, "boss", "Boss", "researcher", PASSWORD)
    adjudication.chair_cases(workspace, boss, study)
    with workspace.session() as session:
        case = session.scalars(sa.select(DisputedCase)).one()
    answers = {"findings": {"line": to_side("counterfactual", case.original_side)}, "comment": "A shadow."}
    adjudication.decide(workspace, boss, study, case.token, 1, answers)
    rows = reference_rows(workspace, study, "test")
    set_reference(workspace, study, {(row.image_id, "line"): False for row in rows}, actor="test")
    tables = outside_tables(workspace, results(workspace, study))
    assert set(tables) == {"adjudicated", "reader-scores"}
    row = tables["adjudicated"].iloc[0]
    assert (row.pair, row.finding, row.decided, row.reason) == ("C01", "line", "counterfactual", "A shadow.")
    assert (row.readers_both, row.readers_neither, row.readers_original) == (1, 1, 0)
    scores = tables["reader-scores"].set_index("reader")
    assert scores.specificity["R1"] == 1.0 and abs(scores.specificity["R2"] - 2 / 3) < 1e-9
    assert to_csv(tables["adjudicated"]).count("\n") == 2
