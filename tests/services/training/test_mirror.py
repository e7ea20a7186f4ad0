"""Training a Mirror-CFE decoder from the command line, a run with it, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from cfcore.classifiers.resnet import ResidualNet
from cfcore.classifiers.store import build_classifier, save_classifier
from cfcore.generators.mirror import MirrorDecoder
from services.cli.main import app
from services.models import add_model, load_generator, model_named, new_folder
from services.training.material import load_pictures
from services.training.mirror import partners_of
from services.workspace import Workspace
from tests.services.training.test_classes import bars

NAMES = ("top", "bottom")


def call(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.output.strip().splitlines()[-1])
    return found


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code != 0
    return " ".join(result.output.split())


@pytest.fixture
def dataset(workspace: Workspace) -> int:
    return bars(workspace, [[NAMES[i % 2]] for i in range(60)]).dataset_id


@pytest.fixture
def classifier(workspace: Workspace, dataset: int) -> ResidualNet:
    """An untrained network whose head halves the training images along what they differ most in."""
    torch.manual_seed(0)
    made = build_classifier("resnet18", NAMES, 28, width=0.1)
    assert isinstance(made, ResidualNet)
    made.eval()
    with torch.no_grad():
        features = made.features(load_pictures(workspace, dataset, "train", 28).float() / 255)
        along = torch.linalg.svd(features - features.mean(dim=0)).Vh[0]
        places = features @ along
        scale = 4 / places.std()
        made.network.fc.weight.copy_(torch.stack([-scale * along, scale * along]))
        made.network.fc.bias.copy_(torch.stack([scale * places.median(), -scale * places.median()]))
    path, folder = new_folder(workspace)
    save_classifier(folder, made, {"name": "C"})
    add_model(workspace, "C", path)
    return made


def test_a_decoder_is_trained_measured_and_used(workspace: Workspace, dataset: int, classifier: ResidualNet) -> None:
    options = ("--dataset", "bars", "--classifier", "C", "--batch", "8", "--iterations", "3")
    trained = call("train", "mirror", *options, "--name", "M", "--pair", "top:bottom", "--loss", "lam=2", "--loss",
                   "classifier_every=1", "--variant", "spe")  # fmt: skip
    figures = {"l1", "agreement", "first_validity", "validity", "confidence_error", "l1_first", "l1_mirror"}
    assert figures < set(trained)
    card = model_named(workspace, "M", "mirror").card
    assert card["command"] == (
        "cfreader train mirror --dataset bars --name M --classifier C --iterations 3 --batch 8 --recipe quick "
        "--variant 'spe' --pair 'top:bottom' --loss lam=2.0 --loss classifier_every=1 --seed 0"
    )
    assert card["recipe"]["lam"] == 2.0 and card["config"]["variant"] == "spe" and card["images_seen"] == 24
    assert figures < set(card["test"]) and card["test"]["n"] == 12
    drawer = load_generator(workspace, trained["model"])
    assert isinstance(drawer, MirrorDecoder)
    again = call("train", "mirror", *options, "--name", "N", "--start-from", "M", "--variant", "spe", "--patience", "1")
    assert (
        model_named(workspace, "N", "mirror").card["started_from"]["name"] == "M" and again["model"] != trained["model"]
    )
    found = call("explain", "mirror", "--dataset", "bars", "--classifier", "C", "--target", "bottom", "--n", "2",
                 "--fit-n", "2", "--generator", "M", "--set", "step=0.25")  # fmt: skip
    assert found["n"] == 2 and [row["name"] for row in found["directions"]] == ["mirror", "confidence"]


def test_what_cannot_be_trained(workspace: Workspace, dataset: int, classifier: ResidualNet) -> None:
    path, folder = new_folder(workspace)
    save_classifier(folder, build_classifier("small-cnn", NAMES, 32, width=0.25), {"name": "Flat"})
    add_model(workspace, "Flat", path)
    pair = ("train", "mirror", "--dataset", "bars", "--classifier")
    assert "has no global average pooling" in refused(*pair, "Flat")
    assert "o recipe 'magic'; there are quick, paper" in refused(*pair, "C", "--recipe", "magic")
    assert "op:left is no pair of two classes; the classifier knows top, bottom" in refused(
        *pair, "C", "--pair", "top:left"
    )
    assert "--loss takes NAME=VALUE, not 'size=3'; names are rate" in refused(*pair, "C", "--loss", "size=3")
    assert "lam is a number" in refused(*pair, "C", "--loss", "lam=two")


def test_pairs_are_led_to_each_other() -> None:
    found = partners_of(("3", "4", "8", "9"), [["3", "8"], ["4", "9"]])
    assert found.nonzero().tolist() == [[0, 2], [1, 3], [2, 0], [3, 1]]
    assert partners_of(("a", "b"), []).tolist() == [[False, True], [True, False]]
    with pytest.raises(ValueError, match="8:8 is no pair"):
        partners_of(("3", "8"), [["8", "8"]])
