"""Training on several classes: which images count, what is told of the model, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from cfcore.classifiers.store import build_classifier, save_classifier
from db.models import Image
from services.cli.main import app
from services.importing import ImportResult, Row, write_made
from services.models import add_model, load_classifier, model_named, new_folder
from services.training.material import load_classes, load_split
from services.training.stylex import Material
from services.workspace import Workspace

BARS = ("top", "middle", "bottom")
SPLITS = ("train", "train", "train", "val", "test")


def bars(workspace: Workspace, labels: Sequence[Sequence[str]], name: str = "bars") -> ImportResult:
    """Dark noise with a bright bar at each place that an image's labels name; splits in turn."""
    rng = np.random.default_rng(0)

    def made(i: int) -> tuple[np.ndarray, Row]:
        pixels = rng.integers(0, 80, (28, 28), dtype=np.uint8)
        for bar in set(labels[i]) & set(BARS):
            start = 9 * BARS.index(bar) + 2
            pixels[start : start + 6] += 170
        split = SPLITS[i // len(BARS) % len(SPLITS)]
        return pixels, Row(patient=str(i), split=split, labels=list(labels[i]), meta={})

    pictures = (made(i) for i in range(len(labels)))
    return write_made(workspace, name, "bar", {}, pictures, len(labels), lambda share, message: None, "test")


@pytest.fixture
def dataset(workspace: Workspace) -> int:
    return bars(workspace, [[BARS[i % 3]] for i in range(60)]).dataset_id


def command(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_labels_are_places_among_the_classes(workspace: Workspace, dataset: int) -> None:
    every = load_classes(workspace, dataset, "test", 28, BARS)
    assert every.labels.tolist() == [0, 1, 2] * 4 and every.images.shape == (12, 1, 28, 28)
    two = load_classes(workspace, dataset, "test", 28, ("bottom", "top"))
    assert two.labels.tolist() == [1, 0] * 4, "images of other labels only are left out"
    pair = load_split(workspace, dataset, "test", 28, "bottom", "top")
    assert (two.images == pair.images).all() and (two.labels == 1 - pair.labels).all()


def test_an_image_must_carry_exactly_one_class(workspace: Workspace) -> None:
    labels: list[list[str]] = [[BARS[i % 3]] for i in range(15)]
    labels[0], labels[1] = ["top", "bottom"], []
    found = bars(workspace, labels)
    with pytest.raises(
        ValueError, match=r"of the 9 images of the train split 1 carry more than one .* 1 no label: each"
    ):
        load_classes(workspace, found.dataset_id, "train", 28, BARS)
    with pytest.raises(ValueError, match="no image of the val split is labelled left; labels are bottom, middle, top"):
        load_classes(workspace, found.dataset_id, "val", 28, (*BARS, "left"))


def test_a_classifier_of_three_classes_is_trained_measured_and_loaded(workspace: Workspace, dataset: int) -> None:
    code, output = command(
        "train", "classifier", "--dataset", "bars", "--classes", "top,middle,bottom", "--architecture", "resnet18",
        "--width", "0.125", "--size", "28", "--iterations", "30", "--batch", "12", "--name", "C", "--json",
    )  # fmt: skip
    assert code == 0, output
    trained = json.loads(output.strip().splitlines()[-1])
    assert set(trained) == {"run", "model", "accuracy", "macro_auc", "seconds"}
    assert trained["accuracy"] > 0.6 and trained["macro_auc"] > 0.8
    card = model_named(workspace, "C", "classifier").card
    assert card["class_names"] == list(BARS) and card["width"] == 0.125
    assert card["test"]["accuracy_low"] < card["test"]["accuracy"] <= card["test"]["accuracy_high"]
    assert card["test"]["n"] == 12 and "auc" not in card["test"]
    assert "--classes top,middle,bottom --seed 0" in card["command"] and "--positive" not in card["command"]
    assert load_classifier(workspace, trained["model"]).class_names == BARS
    code, output = command("evaluate", "classifier", "C", "--dataset", "bars", "--json")
    assert code == 0, output
    figures = json.loads(output.strip().splitlines()[-1])["figures"]
    assert figures["accuracy"] == pytest.approx(trained["accuracy"], abs=0.1)
    code, output = command("evaluate", "classifier", "C", "--dataset", "bars")
    assert "accuracy" in output and "n = 12" in output


def test_a_generator_of_three_classes_is_trained_on_all_of_them(workspace: Workspace, dataset: int) -> None:
    path, folder = new_folder(workspace)
    save_classifier(folder, build_classifier("resnet18", BARS, 32, width=0.1), {"name": "C"})
    add_model(workspace, "C", path)
    code, output = command(
        "train", "stylex", "--dataset", "bars", "--classifier", "C", "--iterations", "2", "--batch", "3", "--detail",
        "0", "--name", "G", "--json",
    )  # fmt: skip
    assert code == 0, output
    card = model_named(workspace, "G", "stylex").card
    assert card["classes"] == list(BARS) and card["config"]["classes"] == 3 and card["test"]["n"] == 12
    material = Material.of(workspace, dataset, model_named(workspace, "C", "classifier").id, 0)
    assert material.train.labels.bincount().tolist() == [12, 12, 12] and material.rows == (0, 1, 2)


def test_all_takes_the_labels_of_the_data_set(workspace: Workspace, dataset: int) -> None:
    code, output = command(
        "train", "classifier", "--dataset", "bars", "--classes", "all", "--architecture", "resnet18", "--width", "0.1",
        "--size", "28", "--iterations", "2", "--batch", "6",
    )  # fmt: skip
    assert code == 0, output
    assert "test accuracy 0." in output and "macro AUC 0." in output
    assert model_named(workspace, "bars, ResNet-18", "classifier").card["class_names"] == ["bottom", "middle", "top"]


def test_what_the_command_line_refuses(workspace: Workspace, dataset: int) -> None:
    start = ("train", "classifier", "--dataset", "bars")
    code, output = command(*start)
    assert code == 1 and "give --positive" in output
    code, output = command(*start, "--positive", "top", "--classes", "all")
    assert code == 1 and "one of the two" in " ".join(output.split())
    code, output = command(*start, "--negative", "top", "--classes", "all")
    assert code == 1 and "--negative goes with --positive" in output
    code, output = command(*start, "--classes", "all", "--size", "32")
    assert code == 1 and "DenseNet-121 tells two classes apart, not 3: choose" in " ".join(output.split())
    with workspace.session() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Image)) == 60
