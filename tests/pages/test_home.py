from __future__ import annotations

import pytest

from services import pairs as pairs_service
from services.pairs import make_pairs
from services.studies import create_study, lock_study
from services.workspace import Workspace
from tests.pages.shift_app import app, text_of
from tests.services.test_results import add_readers
from tests.services.toy_study import finished_run, toy_engine


def test_an_empty_workspace_is_told_what_to_do_first(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = app(monkeypatch, "home")
    assert not page.exception
    assert "Bring in radiographs" in text_of(page)
    assert "No study yet" in text_of(page) and "No run yet" in text_of(page)
    assert "demo workspace" not in text_of(page)


def test_a_study_that_is_being_read_comes_first(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace.folder / "demo").touch()
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study_id = create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=2, title="Toy study")
    make_pairs(workspace, study_id, actor="ada")
    lock_study(workspace, study_id, actor="ada")
    add_readers(workspace, study_id, 2)
    page = app(monkeypatch, "home")
    assert not page.exception
    said = text_of(page)
    assert "demo workspace" in said
    assert "0 of 12 readings so far" in said
    assert "60" in said and "images in 1 data set" in said
    assert "Toy run" in said and "<nobr>v1 +</nobr>, <nobr>v2 +</nobr>, <nobr>v7 −</nobr>" in said
