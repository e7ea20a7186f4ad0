"""Training medXGAN against a classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.base import Progress
from cfcore.generators.medxgan import MedXGAN, MedXGANConfig, save_medxgan
from cfcore.generators.medxgan.measure import drawn_class, encoded
from cfcore.generators.medxgan.training import RECIPES, MedXGANTask
from cfcore.training.batches import Batches
from cfcore.training.weights import read_card
from db.models import Run
from services.models import add_model, generator_folder, load_classifier, new_folder
from services.training.common import LOOP_DEFAULTS, card_of, finish, loss_options, run_loop, sum_of_trainings
from services.training.material import load_split
from services.workspace import Workspace

MEDXGAN_DEFAULTS: dict[str, Any] = LOOP_DEFAULTS | {
    "iterations": 8000,
    "batch": 32,
    "recipe": "covered",
    "losses": {},
    "networks": {},
    "width": None,
    "start_from": None,
}
SAMPLES = 1000  # anatomies drawn for the share of drawn classes


def train_medxgan(workspace: Workspace, run: Run, progress: Progress) -> int:
    """Train and store a medXGAN generator for `run.classifier_id`; returns the model's id.

    `run.settings`: positive, negative (labels; by default the classifier's positive class against all the rest),
    iterations (8,000), batch (32), recipe (a key of RECIPES), losses (fields of MedXGANTraining that differ from the
    recipe's), networks (fields of MedXGANConfig), width (factor on their channels), start_from (id of a generator to
    go on from), and those of the loop.

    Raises:
        ValueError: an unknown recipe, a classifier that takes no squares, or weights that do not fit.
    """
    settings = MEDXGAN_DEFAULTS | run.settings
    if settings["recipe"] not in RECIPES:
        raise ValueError(f"no recipe {settings['recipe']!r}; there are {', '.join(RECIPES)}")
    assert run.dataset_id is not None and run.classifier_id is not None
    classifier = load_classifier(workspace, run.classifier_id)
    if len(classifier.size) != 2 or classifier.size[0] != classifier.size[1]:
        raise ValueError(
            f"medXGAN draws squares, the classifier takes {classifier.size}: choose one with a square input"
        )
    size, positive = classifier.size[0], settings.get("positive") or classifier.class_names[1]
    data = {
        split: load_split(workspace, run.dataset_id, split, size, positive, settings.get("negative"))
        for split in ("train", "val", "test")
    }
    torch.manual_seed(run.seed)
    generator = torch.Generator().manual_seed(run.seed)
    recipe = replace(RECIPES[settings["recipe"]], **settings["losses"])
    networks = {"size": size, "encoder": recipe.reconstruction_weight > 0} | settings["networks"]
    model = MedXGAN(MedXGANConfig(**networks).scaled(float(settings["width"] or 1)))
    task = MedXGANTask(model, classifier, recipe, generator, int(settings["iterations"]))
    if settings["start_from"] is not None:
        task.begin_with(generator_folder(workspace, settings["start_from"]))
    batches = Batches(data["train"].images, data["train"].labels, int(settings["batch"]), generator, balanced=True)
    if settings["patience"] is not None:
        task.held_out_images = data["val"].images
    losses = run_loop(workspace, run, task, batches, settings, progress)
    quality = quality_of_drawings(task.average, classifier, data["test"].images, run.seed)
    path, folder = new_folder(workspace)
    card = card_of(workspace, run, settings, _options(settings)) | {
        "name": run.name,
        "classes": list(classifier.class_names),
        "images_seen": int(losses[-1]["iteration"]) * int(settings["batch"]),
        "hours": round(losses[-1]["seconds"] / 3600, 2),
        "test": quality | {"n": len(data["test"].images), "samples": 2 * SAMPLES},
        "started_from": None,
    }
    if settings["start_from"] is not None:
        card |= sum_of_trainings(card, read_card(generator_folder(workspace, settings["start_from"])))
    save_medxgan(folder, task.average, card, task.discriminator)
    model_id = add_model(workspace, run.name, path, classifier_id=run.classifier_id, dataset_id=run.dataset_id)
    finish(workspace, run, losses, {"model_id": model_id} | quality)
    return model_id


def quality_of_drawings(model: MedXGAN, classifier: Classifier, images: Tensor, seed: int) -> dict[str, float]:
    """Held-out quality on (n, 1, size, size) uint8 images: those of `drawn_class`, and of `encoded`
    where there is an encoder."""
    generator = torch.Generator().manual_seed(seed)
    drawn = drawn_class(model, classifier, SAMPLES, generator)
    return drawn | encoded(model, classifier, images) if model.config.encoder else drawn


def _options(settings: dict[str, Any]) -> list[str]:
    """Options of the command line that only this training has."""
    lengths = [f"--{name} {n}" for name, n in settings["networks"].items() if name in ("anatomy", "pathology")]
    return lengths + loss_options(settings)
