from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from db.models import Image
from services.datasets import list_datasets
from services.workspace import Workspace
from tests.pages.shift_app import app, text_of, work
from tests.services.toy_study import finished_run


def press(page, label: str):  # type: ignore[no-untyped-def]
    return next(button for button in page.button if button.label == label).click().run()


def test_an_empty_workspace_offers_the_import(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = app(monkeypatch, "data")
    assert not page.exception
    assert page.segmented_control[0].value == "Import"
    assert next(button for button in page.button if button.label == "Import").disabled


def test_a_folder_on_the_server_is_imported_and_a_bad_file_named_here_only(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "set" / "NORMAL"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(4):
        Pillow.fromarray(rng.integers(0, 255, (32, 32), dtype=np.uint8)).save(folder / f"person{i}_x.png")
    (folder / "Jane-Doe.png").write_bytes(b"")
    page = app(monkeypatch, "data")
    page.radio[0].set_value("A path on the server").run()
    page.text_input[0].set_value(str(tmp_path / "set"))
    page.text_input[1].set_value("Small set").run()
    press(page, "Import")
    assert not page.exception
    assert "you may leave this page" in text_of(page) and list_datasets(workspace) == []
    work(workspace)
    page.run()
    assert not page.exception
    said = text_of(page)
    assert "4 images imported as “Small set”" in said
    assert "Jane-Doe.png" in said and "0 bytes" in said
    assert [dataset.images for dataset in list_datasets(workspace)] == [4]
    page.segmented_control[0].set_value("Data sets").run()
    assert not page.exception
    assert "NORMAL" in text_of(page) and "Jane-Doe" not in text_of(page)
    assert "1 file left out of the import" in [expander.label for expander in page.expander]


def test_an_uploaded_archive_is_unpacked_by_the_worker_and_not_by_the_page(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for i in range(3):
            picture = io.BytesIO()
            Pillow.fromarray(np.full((8, 8), 40 * i, np.uint8)).save(picture, "PNG")
            archive.writestr(f"NORMAL/{i}.png", picture.getvalue())
    page = app(monkeypatch, "data")
    page.file_uploader[0].set_value([("ward.zip", packed.getvalue(), "application/zip")])
    page.text_input[0].set_value("From a zip").run()
    press(page, "Import")
    assert not page.exception
    kept = {path.name for path in (workspace.folder / "quarantine").rglob("*") if path.is_file()}
    assert kept == {"ward.zip", "request.json"}
    work(workspace)
    page.run()
    assert "3 images imported as “From a zip”" in text_of(page)
    assert list((workspace.folder / "quarantine").iterdir()) == []


def test_an_import_is_cancelled_on_the_page_and_leaves_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Pillow.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    page = app(monkeypatch, "data")
    page.radio[0].set_value("A path on the server").run()
    page.text_input[0].set_value(str(tmp_path / "a.png"))
    page.text_input[1].set_value("Set").run()
    press(page, "Import")
    press(page, "Import")
    assert "An import of 'Set' is under way already" in text_of(page)
    press(page, "Cancel")
    assert not page.exception
    assert "“Set” was cancelled. Nothing of it was imported." in text_of(page)
    assert list((workspace.folder / "quarantine").iterdir()) == [] and list_datasets(workspace) == []


def test_a_wrong_path_gives_a_sentence(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = app(monkeypatch, "data")
    page.radio[0].set_value("A path on the server").run()
    page.text_input[0].set_value("/nowhere/at/all")
    page.text_input[1].set_value("Nothing").run()
    press(page, "Import")
    assert not page.exception
    assert "There is nothing at this path" in text_of(page)


def test_waiting_images_are_approved_or_rejected_one_by_one(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished_run(workspace, n_images=6)
    with workspace.session() as session:
        for image_id in (1, 2):
            session.get_one(Image, image_id).look = "waiting"
    page = app(monkeypatch, "data")
    assert "1 to 4 of 4" in text_of(page)
    page.segmented_control[0].set_value("Waiting for a look (2)").run()
    press(page, "Approve")
    assert not page.exception
    page.segmented_control[0].set_value("Waiting for a look (1)").run()
    press(page, "Reject and delete its pixels")
    assert not page.exception
    with workspace.session() as session:
        looks = [session.get_one(Image, image_id).look for image_id in (1, 2)]
    assert looks == ["approved", "rejected"]


def test_phantoms_are_made_by_the_form(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = app(monkeypatch, "data")
    page.segmented_control[0].set_value("Make phantoms").run()
    page.number_input[0].set_value(10)
    page.selectbox[1].set_value(64)
    page.text_input[0].set_value("Ten phantoms")
    press(page, "Make phantoms")
    assert not page.exception
    work(workspace)
    page.run()
    assert "10 phantoms made as “Ten phantoms”" in text_of(page)
    of_run = app(monkeypatch, "runs", run="1")
    assert not of_run.exception and "Losses" not in text_of(of_run)
    assert "See the images" in [link.proto.label for link in of_run.get("page_link")]
    assert list_datasets(workspace)[0].kind == "phantom"
