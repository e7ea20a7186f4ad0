from __future__ import annotations

import pytest

from services import degrees as degrees_service
from services import pairs as pairs_service
from services.pairs import make_pairs
from services.studies import create_study, list_studies, lock_study, study_view, update_draft
from services.workspace import Workspace
from tests.pages.shift_app import app, text_of
from tests.services.toy_study import finished_run, toy_engine


@pytest.fixture
def draft(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    return create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=2, title="Toy study")


def test_an_empty_workspace_says_how_a_study_begins(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = app(monkeypatch, "studies")
    assert not page.exception
    assert "No study yet" in text_of(page)
    page.button[0].click().run()
    assert not page.exception and "there is none yet" in text_of(page)


def test_a_draft_goes_from_questions_to_readers(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    page = app(monkeypatch, "studies", study=str(draft))
    assert not page.exception
    assert "Toy study" in text_of(page) and "draft" in text_of(page)
    steps = page.segmented_control[0]
    steps.set_value("2 Images and arms").run()
    assert "No pairs yet" in text_of(page)
    next(button for button in page.button if button.label == "Make pairs").click().run()
    assert not page.exception
    assert len(study_view(workspace, draft).pairs) == 6
    page.segmented_control[0].set_value("3 Preview").run()
    assert not page.exception and "probability of Cardiomegaly" in text_of(page)
    page.segmented_control[0].set_value("4 Lock").run()
    assert "Nothing is missing" in text_of(page)
    next(button for button in page.button if button.label == "Lock the study").click().run()
    assert not page.exception
    assert study_view(workspace, draft).state == "locked"
    assert "No readers yet" in text_of(page)
    page.text_input[0].set_value("eva@example.org")
    page.text_input[1].set_value("Eva")
    next(button for button in page.button if button.label == "Make a link").click().run()
    assert not page.exception
    assert [reader.login for reader in study_view(workspace, draft).readers] == ["eva@example.org"]
    assert any("/invite/" in code.value for code in page.code)


def test_questions_are_saved_and_replaced_by_a_list_of_the_paper(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    page = app(monkeypatch, "studies", study=str(draft))
    before = study_view(workspace, draft).protocol
    next(button for button in page.button if button.label == "Save questions").click().run()
    assert not page.exception
    assert study_view(workspace, draft).protocol == before
    template = next(box for box in page.selectbox if box.label == "Template")
    template.set_value(next(name for name in template.options if "telectasis" in name)).run()
    next(button for button in page.button if button.label == "Use").click().run()
    assert not page.exception
    assert study_view(workspace, draft).protocol.findings[0].label == "Mediastinal shift"


def test_a_title_that_breaks_the_blinding_bars_the_lock(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    make_pairs(workspace, draft, actor="ada")
    page = app(monkeypatch, "studies", study=str(draft))
    page.segmented_control[0].set_value("4 Lock").run()
    page.text_input[1].set_value("Cardiomegaly reading").run()
    assert "breaks the blinding" in text_of(page)
    assert next(button for button in page.button if button.label == "Lock the study").disabled


def test_a_locked_study_shows_its_questions_and_digest_but_no_editor(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    make_pairs(workspace, draft, actor="ada")
    digest = lock_study(workspace, draft, actor="ada")
    page = app(monkeypatch, "studies", study=str(draft))
    page.segmented_control[0].set_value("1 Questions").run()
    assert "Pleural effusion" in text_of(page) and not [b for b in page.button if b.label == "Save questions"]
    page.segmented_control[0].set_value("4 Lock").run()
    assert digest in text_of(page)
    next(button for button in page.button if button.label == "Check the digest now").click().run()
    assert "exactly those that were locked" in text_of(page)


def test_an_unknown_study_is_said_and_the_list_stays(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    page = app(monkeypatch, "studies", study="99")
    assert not page.exception
    assert "There is no study 99" in text_of(page) and "Toy study" in text_of(page)
    assert len(list_studies(workspace)) == 1


def test_a_weak_arm_is_told_and_a_higher_degree_is_taken_with_one_press(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    monkeypatch.setattr(degrees_service, "open_engine", toy_engine)
    update_draft(workspace, draft, actor="ada", degree=4.0)
    make_pairs(workspace, draft, actor="ada")
    page = app(monkeypatch, "studies", study=str(draft))
    page.segmented_control[0].set_value("2 Images and arms").run()
    assert "Fewer than half" in text_of(page) and "v7 − (0 of 2)" in text_of(page)
    next(button for button in page.button if button.label.startswith("Try higher")).click().run()
    assert not page.exception
    assert "would flip" in text_of(page)
    take = next(button for button in page.button if button.label.startswith("Take degree"))
    degree = float(take.label.split()[2])
    take.click().run()
    assert not page.exception
    view = study_view(workspace, draft)
    assert view.protocol.degree == degree > 4.0 and any(pair.flipped for pair in view.pairs)
    assert next(field for field in page.number_input if field.label.startswith("Degree")).value == degree
