"""Training a VAE beside a classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from cfcore.engines.base import Progress
from cfcore.generators.vae import VAE, VAEConfig, save_vae
from cfcore.generators.vae.training import RECIPES, VAETask, quality
from cfcore.training.batches import Batches
from db.models import Run
from services.training.common import LOOP_DEFAULTS, run_loop
from services.training.drawn import material_of, recipe_named, store
from services.workspace import Workspace

VAE_DEFAULTS: dict[str, Any] = LOOP_DEFAULTS | {
    "iterations": 6000,
    "batch": 64,
    "recipe": "l1",
    "losses": {},
    "networks": {},
}


def train_vae(workspace: Workspace, run: Run, progress: Progress) -> int:
    """Train and store a VAE at the size of `run.classifier_id`, which has no say in its loss; returns the model's id.

    `run.settings`: iterations (6,000), batch (64), recipe (a key of RECIPES), losses (fields of VAETraining that differ
    from the recipe's), networks (fields of VAEConfig), and those of the loop.

    Raises:
        ValueError: an unknown recipe, or a classifier whose input no VAE here can draw.
    """
    settings = VAE_DEFAULTS | run.settings
    recipe = replace(recipe_named(settings["recipe"], RECIPES), **settings["losses"])
    material = material_of(workspace, run, "the VAE")
    torch.manual_seed(run.seed)
    generator = torch.Generator().manual_seed(run.seed)
    networks = {"size": material.size, "channels": material.classifier.channels} | settings["networks"]
    task = VAETask(VAE(VAEConfig(**networks)), recipe, generator, int(settings["iterations"]))
    images = material.images["train"]
    batches = Batches(images, torch.zeros(len(images), dtype=torch.long), int(settings["batch"]), generator)
    if settings["patience"] is not None:
        task.held_out_images = material.images["val"]
    losses = run_loop(workspace, run, task, batches, settings, progress)
    test = material.images["test"]
    found = quality(task.average, material.classifier, test)
    return store(
        workspace, run, settings, losses, found, len(test), lambda folder, card: save_vae(folder, task.average, card)
    )
