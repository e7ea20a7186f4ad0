"""What the trainings of the VAE, of ExplainGAN and of C3LT have in common: their material and their cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from db.models import Run
from services.models import add_model, load_classifier, new_folder
from services.training.common import card_of, finish, loss_options
from services.training.material import load_pictures
from services.workspace import Workspace

Recipe = TypeVar("Recipe")
BATCH = 64


@dataclass(frozen=True)
class Material:
    """The classifier that is explained; the images of each split, (n, 1, size, size) uint8, whatever their labels."""

    classifier: Classifier
    size: int
    images: Mapping[str, Tensor]


def material_of(workspace: Workspace, run: Run, title: str) -> Material:
    """What `run` trains on. Raises ValueError for a classifier that takes no squares."""
    assert run.dataset_id is not None and run.classifier_id is not None
    classifier = load_classifier(workspace, run.classifier_id)
    if len(classifier.size) != 2 or classifier.size[0] != classifier.size[1]:
        raise ValueError(
            f"{title} draws squares, the classifier takes {classifier.size}: choose one with a square input"
        )
    size = classifier.size[0]
    images = {split: load_pictures(workspace, run.dataset_id, split, size) for split in ("train", "val", "test")}
    return Material(classifier, size, images)


def recipe_named(name: str, recipes: Mapping[str, Recipe]) -> Recipe:
    """The recipe called `name`. Raises ValueError that lists the known ones."""
    if name not in recipes:
        raise ValueError(f"no recipe {name!r}; there are {', '.join(recipes)}")
    return recipes[name]


@torch.no_grad()
def classes_of(classifier: Classifier, images: Tensor) -> Tensor:
    """(n,) C's class of (n, channels, size, size) uint8 images."""
    return torch.cat([classifier.logits(chunk.float() / 255).argmax(dim=1) for chunk in images.split(BATCH)])


def store(
    workspace: Workspace,
    run: Run,
    settings: dict[str, Any],
    losses: list[dict[str, float]],
    quality: dict[str, float],
    held_out: int,
    save: Callable[[Path, dict[str, Any]], str],
    more: Sequence[str] = (),
) -> int:
    """Write the trained network with its card, enter it as a model of the run's classifier, and return its id.

    Args:
        quality: figures on `held_out` images of the test split. save: writes weights and card into a folder.
        more: options of the command line that only this kind of training has.
    """
    assert run.classifier_id is not None
    path, folder = new_folder(workspace)
    card = card_of(workspace, run, settings, [*more, *loss_options(settings)]) | {
        "name": run.name,
        "classes": list(load_classifier(workspace, run.classifier_id).class_names),
        "images_seen": int(losses[-1]["iteration"]) * int(settings["batch"]),
        "hours": round(losses[-1]["seconds"] / 3600, 2),
        "test": quality | {"n": held_out},
    }
    save(folder, card)
    model_id = add_model(workspace, run.name, path, classifier_id=run.classifier_id, dataset_id=run.dataset_id)
    finish(workspace, run, losses, {"model_id": model_id} | quality)
    return model_id
