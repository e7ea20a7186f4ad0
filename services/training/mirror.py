"""Training a Mirror-CFE decoder against a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.base import Progress
from cfcore.generators.mirror import MirrorDecoder, save_mirror
from cfcore.generators.mirror.measure import measure
from cfcore.generators.mirror.model import config_for
from cfcore.generators.mirror.recipes import RECIPES
from cfcore.generators.mirror.training import MirrorTask
from cfcore.training.batches import Batches
from cfcore.training.weights import as_stored, read_card
from db.models import Run
from services.models import add_model, generator_folder, load_classifier, new_folder
from services.training.common import LOOP_DEFAULTS, card_of, finish, loss_options, run_loop, sum_of_trainings
from services.training.material import load_pictures
from services.workspace import Workspace

MIRROR_DEFAULTS: dict[str, Any] = LOOP_DEFAULTS | {
    "iterations": 4000,
    "batch": 32,
    "recipe": "quick",
    "variant": "full",
    "points": "pairwise",
    "pairs": [],
    "losses": {},
    "networks": {},
    "start_from": None,
}
MEASURED, AT_ONCE = 500, 64


def train_mirror(workspace: Workspace, run: Run, progress: Progress) -> int:
    """Train and store a decoder for `run.classifier_id`; returns the model's id.

    The training images are those of the data set that C gives a class of the pairs; labels are not asked.

    `run.settings`: iterations (4,000), batch (32), recipe (a key of RECIPES), variant and points (of MirrorConfig),
    pairs (lists of two class names that are led to each other; empty: every class to every other), losses (fields of
    MirrorTraining that differ from the recipe's), networks (fields of MirrorConfig), start_from (id of a decoder to go
    on from), and those of the loop.

    Raises:
        ValueError: an unknown recipe or class, a classifier without global average pooling, images that are all of one
            class for it, or weights that do not fit.
    """
    settings = MIRROR_DEFAULTS | run.settings
    if settings["recipe"] not in RECIPES:
        raise ValueError(f"no recipe {settings['recipe']!r}; there are {', '.join(RECIPES)}")
    assert run.dataset_id is not None and run.classifier_id is not None
    classifier = load_classifier(workspace, run.classifier_id)
    recipe = replace(RECIPES[settings["recipe"]], **settings["losses"])
    more = {"variant": settings["variant"], "points": settings["points"]} | settings["networks"]
    config = config_for(classifier, **more)
    partners = partners_of(classifier.class_names, settings["pairs"])
    images, classes = {}, {}
    for split in ("train", "val", "test"):
        pictures = load_pictures(workspace, run.dataset_id, split, config.size)
        images[split], classes[split] = _of_pairs(classifier, pictures, partners, split)
    torch.manual_seed(run.seed)
    generator = torch.Generator().manual_seed(run.seed)
    task = MirrorTask(MirrorDecoder(config), classifier, recipe, generator, int(settings["iterations"]), partners)
    task.prepare(images["train"])
    if settings["start_from"] is not None:
        task.begin_with(generator_folder(workspace, settings["start_from"]))
    batches = _batches(images["train"], classes["train"], int(settings["batch"]), generator)
    if settings["patience"] is not None:
        task.held_out_images = images["val"][:MEASURED]
    losses = run_loop(workspace, run, task, batches, settings, progress)
    average = as_stored(task.average)
    quality = measure(average, classifier, images["test"][:MEASURED], task.partners)
    path, folder = new_folder(workspace)
    card = card_of(workspace, run, settings, _options(settings)) | {
        "name": run.name,
        "classes": list(classifier.class_names),
        "pairs": settings["pairs"],
        "recipe": asdict(recipe),
        "images_seen": int(losses[-1]["iteration"]) * int(settings["batch"]),
        "hours": round(losses[-1]["seconds"] / 3600, 2),
        "test": quality | {"n": len(images["test"][:MEASURED])},
        "started_from": None,
    }
    if settings["start_from"] is not None:
        card |= sum_of_trainings(card, read_card(generator_folder(workspace, settings["start_from"])))
    save_mirror(folder, task.average, card, task.discriminator)
    model_id = add_model(workspace, run.name, path, classifier_id=run.classifier_id, dataset_id=run.dataset_id)
    finish(workspace, run, losses, {"model_id": model_id} | quality)
    return model_id


def partners_of(class_names: Sequence[str], pairs: Sequence[Sequence[str]]) -> Tensor:
    """(classes, classes) bool: the targets of each source class. Without pairs: every other class.

    Raises:
        ValueError: a pair that is not of two different classes of the classifier.
    """
    if not pairs:
        return ~torch.eye(len(class_names), dtype=torch.bool)
    found = torch.zeros(len(class_names), len(class_names), dtype=torch.bool)
    for pair in pairs:
        if len(pair) != 2 or pair[0] == pair[1] or not set(pair) <= set(class_names):
            raise ValueError(
                f"{':'.join(pair)} is no pair of two classes; the classifier knows {', '.join(class_names)}"
            )
        one, other = (class_names.index(name) for name in pair)
        found[one, other] = found[other, one] = True
    return found


@torch.no_grad()
def _of_pairs(classifier: Classifier, images: Tensor, partners: Tensor, split: str) -> tuple[Tensor, Tensor]:
    """The (n, channels, size, size) uint8 images whose class for C has a partner, and C's class of each."""
    rows = [classifier.logits(chunk.float() / 255).argmax(dim=1) for chunk in images.split(AT_ONCE)]
    classes = torch.cat(rows) if rows else torch.zeros(0, dtype=torch.long)
    kept = partners.any(dim=1)[classes]
    if not kept.any():
        raise ValueError(
            f"none of the {len(images)} images of the {split} split is of a class of the pairs for the classifier: "
            "choose its own data set, or other pairs"
        )
    return images[kept], classes[kept]


def _batches(images: Tensor, classes: Tensor, size: int, generator: torch.Generator) -> Batches:
    """Balanced over the classes that C sees."""
    found = classes.unique()
    if len(found) < 2:
        raise ValueError(
            "the classifier gives all training images one class: triangulation needs images of source and target"
        )
    return Batches(images, torch.searchsorted(found, classes), size, generator, balanced=True)


def _options(settings: dict[str, Any]) -> list[str]:
    """What only this kind of training says on the command line."""
    words = [f"--{key} '{settings[key]}'" for key in ("variant", "points") if settings[key] != MIRROR_DEFAULTS[key]]
    words += [f"--pair '{one}:{other}'" for one, other in settings["pairs"]]
    return words + loss_options(settings)
