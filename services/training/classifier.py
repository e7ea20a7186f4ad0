"""Training a classifier on a data set."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
import torch

from cfcore.classifiers.store import build_classifier, save_classifier
from cfcore.classifiers.training import ClassifierTask
from cfcore.engines.base import Progress
from cfcore.training.batches import Batches
from db.models import Image, Run
from services.models import add_model, new_folder
from services.training.common import LOOP_DEFAULTS, card_of, finish, run_loop
from services.training.material import Split, load_classes, load_split, quality_of
from services.workspace import Workspace

CLASSIFIER_DEFAULTS: dict[str, Any] = LOOP_DEFAULTS | {
    "architecture": "densenet121",
    "width": 1.0,
    "negative": None,
    "size": 64,
    "iterations": 700,
    "batch": 32,
}
HEALTHY = ("No Finding", "Healthy", "Normal", "NORMAL")


def _negative_name(workspace: Workspace, dataset_id: int, positive: str, negative: str | None) -> str:
    if negative is not None:
        return negative
    with workspace.session() as session:
        labels = {
            label
            for row in session.scalars(sa.select(Image.labels).where(Image.dataset_id == dataset_id))
            for label in row
        }
    found = [name for name in HEALTHY if name in labels]
    return found[0] if found else f"No {positive}"


def train_classifier(workspace: Workspace, run: Run, progress: Progress) -> int:
    """Train, test and store a classifier; returns the model's id. Cut off and called again, it goes on.

    `run.settings`: positive (a label), negative (a label or None: all the rest), or instead of both classes (labels,
    two or more, of which every image carries one); architecture (a key of `architectures.TITLES`), width (1; of those
    in `architectures.WIDE`), size (64), iterations (700), batch (32), and those of the loop (`LOOP_DEFAULTS`).
    """
    settings = CLASSIFIER_DEFAULTS | run.settings
    assert run.dataset_id is not None
    names, size = _class_names(workspace, run.dataset_id, settings), int(settings["size"])
    torch.manual_seed(run.seed)
    classifier = build_classifier(settings["architecture"], names, size, width=float(settings["width"]))
    data = {split: _load(workspace, run.dataset_id, split, settings) for split in ("train", "val", "test")}
    generator = torch.Generator().manual_seed(run.seed)
    task = ClassifierTask(classifier, int(settings["iterations"]), generator)
    batches = Batches(data["train"].images, data["train"].labels, int(settings["batch"]), generator, balanced=True)
    if settings["patience"] is not None:
        task.held_out_data = data["val"].images, data["val"].labels
    losses = run_loop(workspace, run, task, batches, settings, progress)
    classifier.eval()
    quality = {split: quality_of(classifier, data[split]) for split in ("val", "test")}
    path, folder = new_folder(workspace)
    classes = settings.get("classes")
    more = [f"--classes {shlex.quote(','.join(classes))}"] if classes else []
    card = card_of(workspace, run, settings, more) | {
        "images_seen": len(data["train"].images),
        "name": run.name,
        "val": asdict(quality["val"]),
        "test": asdict(quality["test"]),
    }
    save_classifier(folder, classifier, card)
    model_id = add_model(workspace, run.name, path, dataset_id=run.dataset_id)
    test = asdict(quality["test"])
    told = ("auc",) if "auc" in test else ("accuracy", "macro_auc")
    finish(workspace, run, losses, {"model_id": model_id} | {key: test[key] for key in told})
    return model_id


def _class_names(workspace: Workspace, dataset_id: int, settings: dict[str, Any]) -> tuple[str, ...]:
    if settings.get("classes"):
        return tuple(settings["classes"])
    positive, negative = settings["positive"], settings["negative"]
    return _negative_name(workspace, dataset_id, positive, negative), positive


def _load(workspace: Workspace, dataset_id: int, split: str, settings: dict[str, Any]) -> Split:
    size = int(settings["size"])
    if settings.get("classes"):
        return load_classes(workspace, dataset_id, split, size, settings["classes"])
    return load_split(workspace, dataset_id, split, size, settings["positive"], settings["negative"])
