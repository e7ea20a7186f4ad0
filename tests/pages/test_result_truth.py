"""The truth beside the readers' table, on the run's page, in the report and in the exports: phantoms only, after
closing only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from db.models import Study
from services import pairs
from services.accounts import ensure_account
from services.foreground import finish_run
from services.reporting import write_report
from services.result_truth import measure_run_directions, measure_study, truth_csv, truth_for_report
from services.results import results
from services.runs import list_runs
from services.studies import lock_study
from services.worker import measure
from services.workspace import Workspace
from tests.pages.shift_app import app, text_of
from tests.pages.test_runs import press
from tests.services.test_result_truth import phantom_run, phantom_study
from tests.services.test_results import add_readers, read_all
from tests.services.toy_study import toy_engine


@pytest.fixture(autouse=True)
def toy(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy engine in place of one from disk, and an account for who looks at the pages."""
    ensure_account(workspace, "me", "Dr. Example", "researcher")
    monkeypatch.setattr(measure, "open_engine", toy_engine)
    monkeypatch.setattr(pairs, "open_engine", toy_engine)


@pytest.fixture
def study_id(workspace: Workspace) -> int:
    """An open phantom study that two readers have read."""
    study_id = phantom_study(workspace, state="draft")
    lock_study(workspace, study_id, actor="ada")
    add_readers(workspace, study_id, 2)
    read_all(workspace, study_id, lambda *_: "neither")
    return study_id


def close(workspace: Workspace, study_id: int) -> None:
    with workspace.session() as session:
        session.get_one(Study, study_id).state = "closed"


def test_after_closing_the_truth_is_asked_for_measured_and_stands_beside_the_readers_table(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study_id: int
) -> None:
    assert "really move" not in text_of(app(monkeypatch, "results", study=str(study_id))), "readers are still at work"
    close(workspace, study_id)
    page = app(monkeypatch, "results", study=str(study_id))
    assert "really move" in text_of(page) and "SD" not in text_of(page) and not page.exception
    press(page, "Measure what they move")
    (run,) = list_runs(workspace, "measure")
    assert run.state == "queued"
    finish_run(workspace, run.id)
    page = app(monkeypatch, "results", study=str(study_id))
    said = text_of(page)
    assert not page.exception and "Leaks into other factors" in said and "Finding truly appears" in said
    report = write_report(workspace, study_id)
    assert 'id="true-factors"' in report and "readers 0 %" in report
    table = truth_csv(workspace, results(workspace, study_id))
    assert table.splitlines()[0].startswith("direction,rank,factor,") and "cardiothoracic_ratio" in table


def test_interim_results_have_no_truth(workspace: Workspace, study_id: int) -> None:
    close(workspace, study_id)
    finish_run(workspace, measure_study(workspace, study_id, actor="ada"))
    found = results(workspace, study_id)
    assert truth_for_report(workspace, found) is not None
    assert truth_for_report(workspace, replace(found, interim=True)) is None
    assert truth_csv(workspace, replace(found, interim=True)) == ""


def test_a_phantom_run_shows_what_its_kept_directions_move(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = phantom_run(workspace)
    page = app(monkeypatch, "runs", run=str(run_id))
    assert "really move" in text_of(page)
    measured = measure_run_directions(workspace, run_id, actor="ada")
    page = app(monkeypatch, "runs", run=str(run_id))
    assert not page.exception and "Measure what they move" not in [button.label for button in page.button]
    finish_run(workspace, measured)
    page = app(monkeypatch, "runs", run=str(run_id))
    assert not page.exception and "Leaks into other factors" in text_of(page)
    own = app(monkeypatch, "runs", run=str(measured))
    assert not own.exception and "Leaks into other factors" in text_of(own)
