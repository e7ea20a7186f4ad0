"""The notebook keeps its order, its pictures and its links, and exports without running anything that is in a note."""

from __future__ import annotations

import io
import zipfile

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.models import Entry, Event, Study
from services import notebook
from services.notebook import EntryRefused, keep, list_entries, move_entry
from services.workspace import Workspace

PNG = b"\x89PNG picture"


def titles(workspace: Workspace) -> list[str]:
    return [entry.title for entry in list_entries(workspace)]


def three(workspace: Workspace) -> list[int]:
    return [keep(workspace, "explore", title, {}, author="me") for title in "abc"]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(moves=st.lists(st.tuples(st.integers(0, 4), st.integers(-6, 6)), max_size=6))
def test_moving_is_moving_in_a_list(workspace: Workspace, moves: list[tuple[int, int]]) -> None:
    with workspace.session() as session:
        session.execute(sa.delete(Entry))
    ids = [keep(workspace, "explore", str(i), {}, author="me") for i in range(5)]
    order = list(range(5))
    for which, steps in moves:
        move_entry(workspace, ids[which], steps)
        here = order.index(which)
        order.insert(min(max(0, here + steps), 4), order.pop(here))
        assert titles(workspace) == [str(i) for i in order]


def test_an_entry_knows_the_way_back(workspace: Workspace) -> None:
    shown = {"run": 3, "image": 7, "direction": "v17 +", "degree": 6.5, "window": [0.5, 1.0], "nothing": ""}
    keep(workspace, "explore", "  heart\nborder ", shown, note=" **blurs** ", picture=PNG, author="me")
    entry = list_entries(workspace)[0]
    assert (entry.title, entry.note, entry.page) == ("heart border", "**blurs**", "explore")
    assert entry.query == {"run": "3", "image": "7", "direction": "v17 +", "degree": "6.5"}
    assert entry.settings == shown and entry.has_picture
    assert notebook.picture(workspace, entry.id) == PNG
    assert notebook.picture(workspace, 99) is None


def test_deleting_takes_the_picture_along(workspace: Workspace) -> None:
    entry_id = keep(workspace, "run", "a", {}, picture=PNG, author="me")
    with workspace.session() as session:
        key = session.get_one(Entry, entry_id).picture_key
    assert key is not None
    notebook.delete_entry(workspace, entry_id, "me")
    assert list_entries(workspace) == []
    with pytest.raises(FileNotFoundError):
        workspace.get(key)
    with pytest.raises(EntryRefused, match="does not exist any more"):
        notebook.delete_entry(workspace, entry_id, "me")
    with workspace.session() as session:
        assert list(session.scalars(sa.select(Event.kind))) == ["entry kept", "entry deleted"]


def test_what_cannot_be_kept_is_refused(workspace: Workspace) -> None:
    with pytest.raises(EntryRefused, match="no view 'home' can be kept"):
        keep(workspace, "home", "a", {}, author="me")  # type: ignore[arg-type]
    with pytest.raises(EntryRefused, match="needs a title"):
        keep(workspace, "run", " \n", {}, author="me")
    with pytest.raises(EntryRefused, match="the note has 20001 characters; 20000 fit"):
        keep(workspace, "run", "a", {}, note="x" * 20_001, author="me")
    entry_id = keep(workspace, "run", "a", {}, author="me")
    with pytest.raises(EntryRefused, match="needs a title"):
        notebook.edit_entry(workspace, entry_id, "", "", "me")
    with pytest.raises(EntryRefused, match="study does not exist"):
        notebook.link_entry(workspace, entry_id, 5, "me")
    assert titles(workspace) == ["a"]


def test_a_study_exports_its_own_entries_in_order(workspace: Workspace) -> None:
    with workspace.session() as session:
        study = Study(title="Cardiomegaly", reader_title="Chest radiographs")
        session.add(study)
        session.flush()
        study_id = study.id
    first, second, _ = three(workspace)
    notebook.link_entry(workspace, second, study_id, "me")
    notebook.link_entry(workspace, first, study_id, "me")
    notebook.edit_entry(workspace, first, "A", "# Seen\n<script>alert(1)</script>\n\n[x](javascript:alert(1))", "me")
    exported = notebook.export_entries(workspace, study_id)
    assert [entry["title"] for entry in exported] == ["A", "b"]
    html = exported[0]["note_html"]
    assert "<h1>Seen</h1>" in html and "<script" not in html and 'href="javascript' not in html
    assert exported[1]["png"] is None
    notebook.link_entry(workspace, first, None, "me")
    assert [entry["title"] for entry in notebook.export_entries(workspace, study_id)] == ["b"]
    assert list_entries(workspace, study_id)[0].study == "Cardiomegaly"


def test_the_download_holds_text_and_pictures(workspace: Workspace) -> None:
    keep(workspace, "explore", "one", {"degree": 4.0}, note="*look*", picture=PNG, author="me")
    keep(workspace, "results", "two", {}, author="me")
    archive = zipfile.ZipFile(io.BytesIO(notebook.download(workspace)))
    assert archive.namelist() == ["notebook.md", "pictures/1.png"] and archive.read("pictures/1.png") == PNG
    text = archive.read("notebook.md").decode()
    assert (
        text.index("## 1. one") < text.index("![one](pictures/1.png)") < text.index("*look*") < text.index("## 2. two")
    )
    assert "- degree: `4.0`" in text


def test_a_note_in_one_line() -> None:
    assert notebook.note_text("# Seen\n\n**a**; 1 < 2\n- c") == "Seen a; 1 < 2 c"
