"""Training C3LT's transformation against a classifier, in the latent of a trained VAE."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import torch

from cfcore.engines.base import Progress
from cfcore.generators.c3lt import C3LT, C3LTConfig, save_c3lt
from cfcore.generators.c3lt.training import RECIPES, C3LTTask, quality
from cfcore.generators.vae import VAE, load_vae
from cfcore.training.batches import Batches
from db.models import Run
from services.models import ModelView, generator_folder, list_models
from services.training.common import LOOP_DEFAULTS, run_loop
from services.training.drawn import classes_of, material_of, recipe_named, store
from services.workspace import Workspace

C3LT_DEFAULTS: dict[str, Any] = LOOP_DEFAULTS | {
    "iterations": 2000,
    "batch": 32,
    "recipe": "short",
    "losses": {},
    "networks": {},
    "vae": None,
}


def train_c3lt(workspace: Workspace, run: Run, progress: Progress) -> int:
    """Train and store a C3LT for `run.classifier_id`; returns the model's id. Its folder holds the VAE, too.

    `run.settings`: vae (id of a VAE; None: the newest of this classifier that was there when the run was asked for),
    iterations (2,000), batch (32), recipe (a key of RECIPES), losses (fields of C3LTTraining that differ from the
    recipe's), networks (fields of C3LTConfig), and those of the loop. The classes that C gives the training images are
    drawn equally often.

    Raises:
        ValueError: an unknown recipe, no VAE, or one of another size than the classifier's.
    """
    settings = C3LT_DEFAULTS | run.settings
    recipe = replace(recipe_named(settings["recipe"], RECIPES), **settings["losses"])
    chosen = _vae(workspace, run, settings["vae"])
    settings["vae"] = chosen.id
    material = material_of(workspace, run, "C3LT")
    classifier, images = material.classifier, material.images["train"]
    vae: VAE = load_vae(generator_folder(workspace, chosen.id))
    torch.manual_seed(run.seed)
    generator = torch.Generator().manual_seed(run.seed)
    sizes = {"vae": vae.config, "classes": len(classifier.class_names)}
    model = C3LT(C3LTConfig(**sizes | settings["networks"]), vae)
    task = C3LTTask(model, classifier, recipe, generator, int(settings["iterations"]))
    seen = classes_of(classifier, images)
    batches = Batches(images, seen, int(settings["batch"]), generator, balanced=True)
    if settings["patience"] is not None:
        task.held_out_images = material.images["val"]
    losses = run_loop(workspace, run, task, batches, settings, progress)
    test = material.images["test"]
    found = quality(task.average, classifier, test)
    card = {"vae": {"name": chosen.name, "sha256": chosen.sha256}}
    return store(
        workspace,
        run,
        settings,
        losses,
        found,
        len(test),
        lambda folder, told: save_c3lt(folder, task.average, told | card),
        [f"--vae {shlex.quote(chosen.name)}"],
    )


def _vae(workspace: Workspace, run: Run, id: int | None) -> ModelView:
    found = list_models(workspace, "vae")
    if id is not None:
        found = [model for model in found if model.id == id]
    else:
        own = [model for model in found if model.classifier_id == run.classifier_id]
        found = [model for model in own if model.created_at <= run.created_at]
    if not found:
        raise ValueError("C3LT moves in the latent of a VAE, and this classifier has none: train one first")
    return found[-1]
