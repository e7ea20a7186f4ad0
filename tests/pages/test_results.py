from __future__ import annotations

import pytest

from cfcore.study.design.choices import Repeats
from cfcore.study.questions import ForcedChoice
from cfcore.study.simulated import SimulatedReader
from services import pairs as pairs_service
from services.notebook import list_entries, picture
from services.pairs import make_pairs
from services.report.job import latest_report
from services.reporting import export_codebook, export_csv, export_ratings, file_stem, write_report
from services.studies import close_study, create_study, lock_study, study_view, update_draft
from services.workspace import Workspace
from tests.pages.shift_app import app, text_of
from tests.services.full_design import let_programs_read
from tests.services.test_results import add_readers, read_all
from tests.services.toy_study import finished_run, toy_engine


@pytest.fixture
def study_id(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    """A closed study of two people and a program: the main finding appears under v1 + only."""
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study_id = create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=3, title="Toy, v1 to v7")
    make_pairs(workspace, study_id, actor="ada")
    lock_study(workspace, study_id, actor="ada")
    add_readers(workspace, study_id, 2)
    read_all(workspace, study_id, lambda _, arm, key: "appears" if (arm, key) == ("v1+", "ctr") else "neither")
    close_study(workspace, study_id, actor="ada")
    return study_id


def test_without_a_locked_study_the_page_says_what_to_do(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = app(monkeypatch, "results")
    assert not page.exception and "No results yet" in text_of(page)


def test_the_answer_comes_first_and_every_tab_opens(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study_id: int
) -> None:
    page = app(monkeypatch, "results", study=str(study_id))
    assert not page.exception
    said = text_of(page)
    assert "18 of 18" in said and "✓ 100 %" in said and "Increased cardiothoracic ratio" in said
    for tab, words in (
        ("Ratings", "The difference looks like real disease"),
        ("Readers", "Reader 0"),
        ("Cases", "probability of "),
        ("Comparisons", "Arms against each other (exploratory)"),
        ("Export", "every figure as SVG"),
    ):
        page.session_state[f"tabs-{study_id}"] = tab
        page.run()
        assert not page.exception, tab
        assert words in text_of(page), tab


def test_forced_choices_and_ratings_read_twice_have_their_tables(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study_id = create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=3, title="Toy, twice")
    real = ForcedChoice(key="real", text="Which one is real?")
    update_draft(workspace, study_id, actor="ada", questions=(real,), repeats=Repeats(3, 2))
    make_pairs(workspace, study_id, actor="ada")
    lock_study(workspace, study_id, actor="ada")
    let_programs_read(workspace, study_id, (SimulatedReader("R1", 0.9, 0.9), SimulatedReader("R2", 0.9, 0.9)))
    close_study(workspace, study_id, actor="ada")
    page = app(monkeypatch, "results", study=str(study_id))
    for tab, words in (
        ("Readers", ("Pairs rated twice", "Weighted kappa", "limits of agreement", "in points of the scale")),
        (
            "Ratings",
            (
                "Which one is real?",
                "Counterfactual chosen",
                "Strength (log odds)",
                "originals, all arms",
                "Bradley and Terry",
            ),
        ),
    ):
        page.session_state[f"tabs-{study_id}"] = tab
        page.run()
        assert not page.exception, tab
        assert all(word in text_of(page) for word in words), tab


def test_an_open_study_shows_its_progress_and_no_arm(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study_id = create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=2, title="Toy, open")
    make_pairs(workspace, study_id, actor="ada")
    lock_study(workspace, study_id, actor="ada")
    add_readers(workspace, study_id, 1)
    read_all(workspace, study_id, lambda *_: "appears")
    page = app(monkeypatch, "results", study=str(study_id))
    said = text_of(page)
    assert not page.exception and "Sealed until the study is closed" in said and "first readings saved" in said
    assert "AC1" not in said and "v1 +" not in said and "100 %" not in said.replace("<b>100 %</b>", "")
    assert page.button(key=f"look-{study_id}").disabled, "only whoever knows the price may look"
    page.text_area(key=f"look-reason-{study_id}").set_value("The sponsor wanted to know")
    page.checkbox(key=f"look-sure-{study_id}").check().run()
    page.button(key=f"look-{study_id}").click().run()
    said = text_of(page)
    assert not page.exception and "p values exploratory" in said and "Look without a plan" in said and "v1 +" in said


def test_the_report_is_asked_for_and_written_in_the_background(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study_id: int
) -> None:
    page = app(monkeypatch, "results", study=str(study_id))
    page.session_state[f"tabs-{study_id}"] = "Export"
    page.run()
    page.button(key="write-report").click().run()
    assert not page.exception
    report = latest_report(workspace, study_id)
    assert report is not None and report.state == "under way" and report.run.kind == "report"
    assert not any(button.key == "write-report" for button in page.button)


def test_results_are_kept_in_the_notebook_with_their_picture(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study_id: int
) -> None:
    page = app(monkeypatch, "results", study=str(study_id))
    page.text_area[0].set_value("Only **v1** widens the heart.")
    next(button for button in page.button if button.label == "Keep").click().run()
    assert not page.exception
    entry = list_entries(workspace, study_id)[0]
    assert entry.view == "results" and entry.query["study"] == str(study_id)
    kept = picture(workspace, entry.id)
    assert kept is not None and kept.startswith(b"\x89PNG")
    report = write_report(workspace, study_id)
    assert "Only <strong>v1</strong> widens the heart." in report


def test_the_report_holds_protocol_tables_cases_and_no_pseudonym(workspace: Workspace, study_id: int) -> None:
    report = write_report(workspace, study_id)
    view = study_view(workspace, study_id)
    assert view.digest and view.digest in report
    for words in ("Increased cardiothoracic ratio", "v2 +", "did not change the classifier", "preview", "2.13.0"):
        assert words in report
    assert "<script" not in report
    # The toy's patients are called p000, p001, ...: a report numbers them within the study instead.
    assert not any(f">{pair.patient}<" in report or f" {pair.patient} " in report for pair in view.pairs)
    assert "Reader 0" not in report and "reader0@example.org" not in report


def test_tables_leave_with_their_codebook(workspace: Workspace, study_id: int) -> None:
    rows = export_csv(workspace, study_id).splitlines()
    assert len(rows) == 1 + 2 * 9 * 5
    assert rows[0].startswith("reader,arm,patient,pair,")
    assert len(export_ratings(workspace, study_id).splitlines()) == 1 + 2 * 9 * 2
    codebook = export_codebook(workspace, study_id)
    assert all(f"\n{column}," in codebook for column in rows[0].split(",") if column != "reader")
    assert file_stem(study_view(workspace, study_id)) == f"study-{study_id}-toy-v1-to-v7"
