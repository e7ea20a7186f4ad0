"""Training ExplainGAN against a classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from cfcore.engines.base import Progress
from cfcore.generators.expgan import ExpGAN, ExpGANConfig, save_expgan
from cfcore.generators.expgan.training import RECIPES, ExpGANTask, quality
from cfcore.training.batches import Batches
from db.models import Run
from services.training.common import LOOP_DEFAULTS, run_loop
from services.training.drawn import classes_of, material_of, recipe_named, store
from services.workspace import Workspace

EXPGAN_DEFAULTS: dict[str, Any] = LOOP_DEFAULTS | {
    "iterations": 4000,
    "batch": 32,
    "recipe": "short",
    "losses": {},
    "networks": {},
}


def train_expgan(workspace: Workspace, run: Run, progress: Progress) -> int:
    """Train and store an ExplainGAN for `run.classifier_id`; returns the model's id.

    `run.settings`: iterations (4,000), batch (32), recipe (a key of RECIPES), losses (fields of ExpGANTraining that
    differ from the recipe's), networks (fields of ExpGANConfig), and those of the loop. The classes that C gives the
    training images are drawn equally often.

    Raises:
        ValueError: an unknown recipe, a classifier whose input cannot be drawn, or one that calls no training image
            by one of its first two classes.
    """
    settings = EXPGAN_DEFAULTS | run.settings
    recipe = replace(recipe_named(settings["recipe"], RECIPES), **settings["losses"])
    material = material_of(workspace, run, "ExplainGAN")
    classifier, images = material.classifier, material.images["train"]
    torch.manual_seed(run.seed)
    generator = torch.Generator().manual_seed(run.seed)
    sizes = {"size": material.size, "channels": classifier.channels, "classes": len(classifier.class_names)}
    model = ExpGAN(ExpGANConfig(**sizes | settings["networks"]))
    task = ExpGANTask(model, classifier, recipe, generator, int(settings["iterations"]))
    seen = classes_of(classifier, images)
    batches = Batches(images, seen, int(settings["batch"]), generator, balanced=True)
    if settings["patience"] is not None:
        task.held_out_images = material.images["val"]
    losses = run_loop(workspace, run, task, batches, settings, progress)
    test = material.images["test"]
    found = quality(task.average, classifier, test)
    return store(
        workspace, run, settings, losses, found, len(test), lambda folder, card: save_expgan(folder, task.average, card)
    )
