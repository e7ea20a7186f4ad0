"""The Notebook page: read, order, edit, link, delete."""

from __future__ import annotations

from typing import Any

import pytest

from db.models import Study
from services.notebook import keep, list_entries
from services.workspace import Workspace
from tests.pages.shift_app import app, run_of, text_of
from tests.services import shift_engine


@pytest.fixture(autouse=True)
def known_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.known(monkeypatch)


def fill(workspace: Workspace) -> list[int]:
    return [
        keep(workspace, "explore", f"entry {name}", {"run": 1, "image": 2}, note=f"**{name}** seen", author="me")
        for name in ("one", "two", "three")
    ]


def titles(workspace: Workspace) -> list[str]:
    return [entry.title for entry in list_entries(workspace)]


def button(page, key: str):
    return next(found for found in page.button if found.key == key)


def test_an_empty_notebook_says_how_to_fill_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = app(monkeypatch, "notebook")
    assert not page.exception and "Nothing kept yet" in text_of(page)


def test_entries_move_are_edited_and_deleted(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = fill(workspace)
    page = app(monkeypatch, "notebook")
    assert not page.exception and "**two** seen" in text_of(page) and "run 1 · image 2" in text_of(page)
    assert button(page, f"Up-{one}").disabled and button(page, f"Down-{three}").disabled
    button(page, f"Down-{one}").click().run()
    assert titles(workspace) == ["entry two", "entry one", "entry three"]
    button(page, f"edit-button-{two}").click().run()
    page.text_input[0].set_value("heart border")
    page.text_area[0].set_value("blurs")
    next(b for b in page.button if b.label == "Save").click().run()
    assert titles(workspace)[0] == "heart border" and list_entries(workspace)[0].note == "blurs"
    button(page, f"delete-{three}").click().run()
    assert "for good" in text_of(page) and len(titles(workspace)) == 3
    # AppTest has no fragment reruns: what opened the dialog must be pressed along.
    button(page, f"delete-{three}").click()
    next(b for b in page.button if b.label == "Delete" and not b.key).click().run()
    assert titles(workspace) == ["heart border", "entry one"] and not page.exception


def test_an_entry_is_linked_to_a_study(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(workspace)
    with workspace.session() as session:
        study = Study(title="Cardiomegaly", reader_title="Chest radiographs")
        session.add(study)
        session.flush()
        study_id = study.id
    page = app(monkeypatch, "notebook")
    page.selectbox[1].set_value(study_id).run()
    assert [entry.study_id for entry in list_entries(workspace)] == [None, study_id, None]
    assert "study “Cardiomegaly”" in text_of(page)
    page.selectbox[1].set_value(0).run()
    assert list_entries(workspace, study_id) == [] and not page.exception


def test_an_entry_opens_again_where_it_was_seen(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = run_of(workspace)
    keep(workspace, "explore", "e", {"run": run_id, "direction": "down", "degree": 3.0}, author="me")
    entry = list_entries(workspace)[0]
    told: dict[str, Any] = {}
    monkeypatch.setattr("pages.parts.explore_view.explorer", lambda data, *_, **__: told.update(data))
    page = app(monkeypatch, entry.page, **entry.query)
    assert not page.exception
    assert (told["start"]["direction"], told["start"]["degree"]) == ("down", 3.0)
