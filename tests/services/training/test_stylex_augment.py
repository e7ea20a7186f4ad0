"""`train stylex --augment`, as a researcher calls it."""

from __future__ import annotations

import pytest
import torch
from typer.testing import CliRunner

from cfcore.generators.stylex.model import load_stylex
from cfcore.training.weights import read_card
from services.cli.main import app
from services.models import generator_folder, model_named
from services.workspace import Workspace

TRAINING = ["train", "stylex", "--dataset", "toy", "--classifier", "C", "--batch", "4", "--detail", "0"]


def call(*arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments], catch_exceptions=False)
    return f"{result.exit_code} {' '.join(result.output.split())}"


@pytest.fixture
def toy(workspace: Workspace) -> Workspace:
    assert call("phantom", "--name", "toy", "--n", "40", "--size", "64", "--seed", "3").startswith("0")
    assert call("train", "classifier", "--dataset", "toy", "--positive", "Cardiomegaly", "--name", "C", "--size", "32",
                "--architecture", "small-cnn", "--iterations", "2", "--batch", "8").startswith("0")  # fmt: skip
    return workspace


@pytest.mark.parametrize(("augment", "recipe"), [("images", "reconstruct"), ("discriminator", "paper")])
def test_an_augmented_training_says_so_and_differs(toy: Workspace, augment: str, recipe: str) -> None:
    training = [*TRAINING, "--recipe", recipe, "--iterations", "3"]
    assert call(*training, "--name", "plain").startswith("0")
    assert call(*training, "--name", "augmented", "--augment", augment).startswith("0")
    plain, augmented = (
        read_card(generator_folder(toy, model_named(toy, name, "stylex").id)) for name in ("plain", "augmented")
    )
    assert f"--augment {augment}" in augmented["command"] and "--augment" not in plain["command"]
    assert augmented["settings"]["augment"] == augment and augmented["sha256"] != plain["sha256"]


def test_what_cannot_be_augmented_is_refused_before_the_training(toy: Workspace) -> None:
    refused = call(*TRAINING, "--augment", "discriminator", "--iterations", "3")
    assert refused.startswith("1") and "trains no discriminator" in refused and '"adversarial" or "paper"' in refused
    refused = call(*TRAINING, "--augment", "flips", "--iterations", "3")
    assert refused.startswith("1") and "augmentation 'flips'; there are images, discriminator" in refused


def test_codes_of_few_images_are_stored_as_numbers(toy: Workspace) -> None:
    # Matched once at the end of the first training and again before the second, to the codes of 28 images.
    assert call(*TRAINING, "--name", "first", "--iterations", "2").startswith("0")
    again = ["--recipe", "adversarial", "--iterations", "2", "--start-from", "first", "--name", "second"]
    assert call(*TRAINING, *again).startswith("0")
    model = load_stylex(generator_folder(toy, model_named(toy, "second", "stylex").id))
    codes = model.mapping(torch.randn(8, model.config.width), torch.arange(8) % 2)
    assert torch.isfinite(codes).all()
