"""The models of a workspace: the shipped ones with their cards, names that never collide, weights that are checked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cfcore.training.weights import model_sha256
from services import models
from services.models import (
    SHIPPED_FOLDER,
    add_model,
    list_models,
    load_classifier,
    load_generator,
    model_named,
    new_folder,
    register_shipped,
)
from services.workspace import Workspace

FOLDERS = sorted(path.parent for path in SHIPPED_FOLDER.glob("*/card.json"))
ABLATIONS = sorted(path.parent for path in SHIPPED_FOLDER.glob("ablations/*/card.json"))


@pytest.mark.parametrize("folder", FOLDERS + ABLATIONS, ids=lambda folder: folder.name)
def test_shipped_weights_are_what_their_card_says(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    file = folder / "weights.safetensors"
    assert model_sha256(folder) == card["sha256"]
    assert file.stat().st_size <= 32 * 2**20
    assert card["command"].startswith("cfreader ") and card["dataset"] and card["images_seen"] > 0 and card["test"]["n"]


def test_shipped_models_are_entered_once_and_load(workspace: Workspace) -> None:
    register_shipped(workspace)
    register_shipped(workspace)
    found = list_models(workspace)
    assert len(found) == len(FOLDERS)
    for model in found:
        if model.kind == "classifier":
            assert load_classifier(workspace, model.id).class_names == tuple(model.card["class_names"])
        else:
            drawer = load_generator(workspace, model.id)
            assert drawer.kind == model.kind  # type: ignore[comparison-overlap]
            assert getattr(drawer, "style_dimension", 1432) == 1432
            pair = next(m for m in found if m.id == model.classifier_id)
            assert pair.name == model.card["classifier"]


def test_a_model_of_ones_own_with_a_shipped_name_harms_nothing(workspace: Workspace) -> None:
    shipped = "UCSD pneumonia, DenseNet-121"
    path, folder = new_folder(workspace)
    shutil.copytree(SHIPPED_FOLDER / "phantom-cardiomegaly-classifier", folder, dirs_exist_ok=True)
    own = add_model(workspace, shipped, path)
    register_shipped(workspace)
    assert model_named(workspace, shipped, "classifier").id == own
    generator = model_named(workspace, "UCSD pneumonia, StylEx", "stylex")
    assert generator.classifier_id == model_named(workspace, f"{shipped} (2)", "classifier").id
    assert add_model(workspace, shipped, path) != own
    assert model_named(workspace, f"{shipped} (3)", "classifier")


def test_swapped_weights_are_noticed(workspace: Workspace) -> None:
    path, folder = new_folder(workspace)
    shutil.copytree(SHIPPED_FOLDER / "phantom-cardiomegaly-classifier", folder, dirs_exist_ok=True)
    model_id = add_model(workspace, "mine", path)
    shutil.copy(SHIPPED_FOLDER / "ucsd-pneumonia-classifier" / "weights.safetensors", folder)
    with pytest.raises(ValueError, match="not the ones registered"):
        load_classifier(workspace, model_id)
    with pytest.raises(ValueError, match="does not exist any more"):
        load_classifier(workspace, 99)
    with pytest.raises(ValueError, match="no classifier called 'x'; there are: mine"):
        models.model_named(workspace, "x", "classifier")
