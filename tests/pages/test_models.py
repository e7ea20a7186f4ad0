"""The Models page: what there is, one card in plain words, and an own classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from monai.networks.nets.densenet import DenseNet121
from safetensors.torch import save_file
from streamlit.testing.v1 import AppTest

from db.models import Model
from pages.parts.model_card import measured, quality_text, reconstruction_text
from services.models import list_models
from services.workspace import Workspace
from tests.pages.shift_app import app, text_of

CLASSIFIER: dict[str, Any] = {
    "kind": "classifier",
    "architecture": "densenet121",
    "class_names": ["No Finding", "Pneumonia"],
    "size": 64,
    "dataset": "Children's chests",
    "images_seen": 22400,
    "test": {
        "auc": 0.991,
        "auc_low": 0.9846,
        "auc_high": 0.9973,
        "accuracy": 0.9452,
        "calibration_error": 0.0331,
        "brier": 0.0409,
        "n": 347,
        "positives": 232,
    },
    "traps": "Small children <only>.",
    "command": "cfreader train classifier --dataset ucsd",
}
GENERATOR: dict[str, Any] = {
    "kind": "stylex",
    "config": {"size": 64},
    "hours": 0.84,
    "images_seen": 64000,
    "test": {"l1": 0.0297, "ssim": 0.8237, "agreement": 0.9792, "n": 1200},
}
DENSE = "architecture: densenet121\nclass_names: [Healthy, Pneumonia]\ninput: {size: 32}\n"


@pytest.fixture
def models(workspace: Workspace) -> tuple[int, int]:
    """A classifier and the generator that explains it; their ids."""
    with workspace.session() as session:
        classifier = Model(name="Lungs", kind="classifier", path="a", sha256="ab" * 32, card=CLASSIFIER)
        session.add(classifier)
        session.flush()
        generator = Model(
            name="Painter", kind="stylex", path="b", sha256="cd" * 32, card=GENERATOR, classifier_id=classifier.id
        )
        session.add(generator)
        session.flush()
        return classifier.id, generator.id


def test_an_empty_workspace_says_where_models_come_from(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = app(monkeypatch, "models")
    assert not page.exception and "No models yet" in text_of(page)


def test_the_list_tells_how_good_each_model_is(monkeypatch: pytest.MonkeyPatch, models: tuple[int, int]) -> None:
    page = app(monkeypatch, "models")
    assert not page.exception
    said = text_of(page).replace("<nobr>", "").replace("</nobr>", "")
    assert "AUC 0.991 (95 % CI 0.985 to 0.997), n = 347" in said
    assert "L1 0.030, SSIM 0.824, class kept 97.9 %, n = 1 200" in said
    assert "64 × 64" in said and "abab…abab" in said


def test_a_card_speaks_the_fields_terms(monkeypatch: pytest.MonkeyPatch, models: tuple[int, int]) -> None:
    page = app(monkeypatch, "models")
    said = text_of(page)
    assert "AUC (95 % CI 0.985 to 0.997)" in said and "<b>94.5 %</b><span>accuracy" in said
    assert "On the test split: 347 images, 232 of them positive." in said
    assert "22 400" in said and "Small children &lt;only&gt;." in said and "cfreader train classifier" in said
    for raw in ("auc_low", "calibration_error", "images_seen", "class_names"):
        assert raw not in said
    page.selectbox[0].set_value(models[1]).run()
    said = text_of(page)
    assert not page.exception
    assert "Explains the classifier" in said and "<b>97.9 %</b><span>keep their class" in said and "0.84 h" in said


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ({}, "not measured here"),
        ({"auc": 1.0}, "AUC 1.000"),
        ({"auc": 0.9, "n": 1200}, "AUC 0.900, n = 1 200"),
        (
            {"accuracy": 0.986, "accuracy_low": 0.9801, "accuracy_high": 0.9903, "macro_auc": 0.999, "n": 2000},
            "accuracy 98.6 % (95 % CI 98.0 % to 99.0 %), n = 2 000",
        ),
    ],
)
def test_quality_is_told_as_far_as_it_is_known(test: dict[str, float], text: str) -> None:
    assert quality_text(test) == text


def test_measures_that_nobody_has_named_yet_are_readable() -> None:
    assert measured({"fid_like": 12.34567, "fid_like_low": 11, "fid_like_high": 13.5, "n": 9, "note": "x"}) == [
        ("12.346", "fid like (95 % CI 11 to 13.500)"),
    ]
    assert reconstruction_text({}) == "not measured here"


def add(page: AppTest, name: str, file: bytes, text: str) -> AppTest:
    """Fill in the form of an own classifier and press the button."""
    page.segmented_control[0].set_value("Add a classifier").run()
    page.file_uploader[0].set_value(("Miller^Anna.bin", file, "application/octet-stream"))
    page.text_input[0].set_value(name)
    page.text_area[0].set_value(text).run()
    return next(button for button in page.button if button.label == "Check and add").click().run()


def test_a_refused_upload_says_why_and_keeps_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = add(app(monkeypatch, "models"), "Mine", b"no weights at all", DENSE)
    assert not page.exception
    assert [error.value for error in page.error] == ["The classifier was not added."]
    assert len(page.code) == 1 and len(page.code[0].value) > 40
    assert "Miller" not in page.code[0].value
    assert list_models(workspace) == []


def test_safetensors_are_taken_in(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    save_file(DenseNet121(2, 1, 1).state_dict(), tmp_path / "weights")
    page = add(app(monkeypatch, "models"), "Mine", (tmp_path / "weights").read_bytes(), DENSE)
    assert not page.exception
    assert [message.value for message in page.success] == ["“Mine” was added. Runs and studies can use it now."]
    assert [model.name for model in list_models(workspace)] == ["Mine"]
    page.segmented_control[0].set_value("Models").run()
    assert "not measured here" in text_of(page) and "Healthy, Pneumonia" in text_of(page)
