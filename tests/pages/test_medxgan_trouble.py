"""medXGAN and its maps on what does not fit: the Runs page says what is wrong and what to do, and Explore as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cfcore.generators.medxgan import MedXGAN, MedXGANConfig, save_medxgan
from services.models import add_model, new_folder
from services.runs import list_runs, start_run
from services.workspace import Workspace
from tests.pages.shift_app import app, text_of, work
from tests.services import shift_engine

SIZE = 8  # of the test classifier


@pytest.fixture(autouse=True)
def known_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.known(monkeypatch)


def stored(size: int = SIZE, anatomy: int = 4) -> MedXGAN:
    channels = {side: 4 for side in (4, 8, 16) if side < size}
    return MedXGAN(MedXGANConfig(size=size, anatomy=anatomy, pathology=2, channels=channels, encoder=False)).eval()


def said(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, engine: str, model: MedXGAN | None, **card: Any) -> str:
    """What the Runs page says of a run on images of 16 x 12 px; `card`: what the generator's card tells wrongly."""
    ids = shift_engine.scene(workspace, 3)
    generator = None
    if model is not None:
        path, folder = new_folder(workspace)
        save_medxgan(folder, model, {"name": "G"})
        tell(folder, card)
        generator = add_model(workspace, "G", path, classifier_id=ids["classifier"])
    settings = shift_engine.settings(3) | {"engine": engine, "config": {"steps": 5} if engine == "medxgan" else {}}
    run_id = start_run(workspace, "explain", "r", settings, 0, ids["dataset"], ids["classifier"], generator)
    work(workspace)
    page = app(monkeypatch, "runs", run=str(run_id))
    assert not page.exception
    explore = text_of(app(monkeypatch, "explore"))
    assert ("Nothing to explore" in explore) == (list_runs(workspace)[0].state == "failed")
    return text_of(page)


def tell(folder: Path, config: dict[str, Any]) -> None:
    card = json.loads((folder / "card.json").read_text())
    card["config"] |= config
    (folder / "card.json").write_text(json.dumps(card))


def test_images_of_another_size_are_brought_to_the_networks(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "of 3 images flipped, as shown" in said(workspace, monkeypatch, "medxgan", stored())


def test_a_generator_of_another_size_than_the_classifier(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    words = (
        "The generator draws 1 channel(s) of (16, 16) pixels, the classifier takes 1 of (8, 8): choose the pair that "
        "was trained together"
    )
    assert words in said(workspace, monkeypatch, "medxgan", stored(16))


@pytest.mark.parametrize("engine", ["medxgan", "lig", "medxgan difference"])
def test_a_latent_length_that_does_not_match_the_weights(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    words = said(workspace, monkeypatch, engine, stored(), anatomy=6)
    assert "first decoder.first.weight (64 x 6 in the file, 64 x 8 by the card)" in words
    assert "restore the card and the weights that were stored together" in words


def test_grad_cam_of_a_classifier_without_a_convolution(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    words = said(workspace, monkeypatch, "gradcam", None)
    assert "Brightness tells no convolutional layer" in words and "take Integrated Gradients (ig) instead" in words
