"""Training runs: a classifier on a data set, StylEx against a classifier. What the worker and the command line do."""

from __future__ import annotations

import copy
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.classifiers.store import build_classifier, save_classifier
from cfcore.classifiers.training import ClassifierTask, Evaluation, evaluate, predict
from cfcore.engines.base import Progress
from cfcore.generators.stylex.detail import Detail, fit_detail
from cfcore.generators.stylex.model import StylEx, StylExConfig, save_stylex
from cfcore.generators.stylex.training import RECIPES, StylExTask, reconstruction_quality
from cfcore.training.batches import Batches
from cfcore.training.fabric import build_fabric
from cfcore.training.loop import Schedule, train
from cfcore.training.task import Task
from cfcore.training.weights import read_card
from db.models import Dataset, Image, Model, Run
from services.images import small_tensor
from services.models import add_model, generator_folder, load_classifier, new_folder
from services.runs import training_folder, versions
from services.selection import SHOWN
from services.workspace import Workspace

LOOP_DEFAULTS: dict[str, Any] = {
    "seconds": None,
    "accumulate": 1,
    "precision": "32-true",
    "patience": None,
    "tensorboard": False,
}
CLASSIFIER_DEFAULTS: dict[str, Any] = LOOP_DEFAULTS | {"negative": None, "size": 64, "iterations": 700, "batch": 32}
STYLEX_DEFAULTS: dict[str, Any] = LOOP_DEFAULTS | {
    "iterations": 6000,
    "batch": 16,
    "recipe": "reconstruct",
    "losses": {},
    "networks": {},
    "shared": [],
    "start_from": None,
    "detail": 256,
}
CODES = 512
HEALTHY = ("No Finding", "Healthy", "Normal", "NORMAL")


@dataclass(frozen=True)
class Split:
    """Images of one split at a network's size: (n, 1, size, size) uint8 and (n,) labels, 1 is positive."""

    images: Tensor
    labels: Tensor


def load_split(
    workspace: Workspace, dataset_id: int, split: str, size: int, positive: str, negative: str | None = None
) -> Split:
    """The images of a split with label `positive` against the rest, or against label `negative` alone.

    Raises:
        ValueError: no image carries the label; names the labels that there are.
    """
    rows = _rows(workspace, dataset_id, split)
    known = sorted({label for row in rows for label in row.labels})
    if positive not in known:
        raise ValueError(
            f"no image of the {split} split is labelled {positive!r}; labels are {', '.join(known) or 'none'}"
        )
    if negative is not None:
        rows = [row for row in rows if positive in row.labels or negative in row.labels]
    labels = torch.tensor([int(positive in row.labels) for row in rows])
    return Split(_pictures(workspace, rows, size), labels)


def load_pictures(workspace: Workspace, dataset_id: int, split: str, size: int) -> Tensor:
    """(n, 1, size, size) uint8: all images of a split, whatever their labels."""
    return _pictures(workspace, _rows(workspace, dataset_id, split), size)


def _rows(workspace: Workspace, dataset_id: int, split: str) -> list[Image]:
    query = sa.select(Image).where(Image.dataset_id == dataset_id, Image.split == split, Image.look.in_(SHOWN))
    with workspace.session() as session:
        return list(session.scalars(query.order_by(Image.id)))


def _pictures(workspace: Workspace, rows: list[Image], size: int) -> Tensor:
    return (small_tensor(workspace, rows, (size, size)) * 255).round().byte()


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

    `run.settings`: positive (a label), negative (a label or None: all the rest), size (64), iterations (700),
    batch (32), and those of the loop (`LOOP_DEFAULTS`).
    """
    settings = CLASSIFIER_DEFAULTS | run.settings
    assert run.dataset_id is not None
    positive, size = settings["positive"], int(settings["size"])
    names = (_negative_name(workspace, run.dataset_id, positive, settings["negative"]), positive)
    data = {
        split: load_split(workspace, run.dataset_id, split, size, positive, settings["negative"])
        for split in ("train", "val", "test")
    }
    torch.manual_seed(run.seed)
    generator = torch.Generator().manual_seed(run.seed)
    classifier = build_classifier("densenet121", names, size)
    task = ClassifierTask(classifier, int(settings["iterations"]), generator)
    batches = Batches(data["train"].images, data["train"].labels, int(settings["batch"]), generator, balanced=True)
    if settings["patience"] is not None:
        task.held_out_data = data["val"].images, data["val"].labels
    losses = _train(workspace, run, task, batches, settings, progress)
    classifier.eval()
    quality = {split: quality_of(classifier, data[split]) for split in ("val", "test")}
    path, folder = new_folder(workspace)
    card = _card(workspace, run, settings) | {
        "images_seen": len(data["train"].images),
        "name": run.name,
        "val": asdict(quality["val"]),
        "test": asdict(quality["test"]),
    }
    save_classifier(folder, classifier, card)
    model_id = add_model(workspace, run.name, path, dataset_id=run.dataset_id)
    _finish(workspace, run, losses, {"model_id": model_id, "auc": quality["test"].auc})
    return model_id


def _train(
    workspace: Workspace, run: Run, task: Task, batches: Batches, settings: dict[str, Any], progress: Progress
) -> list[dict[str, float]]:
    """The loop with the run's settings (`LOOP_DEFAULTS`): time limit, micro-batches, precision, early stop, logs."""
    folder = training_folder(workspace, run.id)
    schedule = Schedule(
        int(settings["iterations"]),
        seconds=settings["seconds"],
        accumulate=int(settings["accumulate"]),
        patience=settings["patience"],
    )
    fabric = build_fabric(
        settings["precision"], tensorboard=folder / "tensorboard" if settings["tensorboard"] else None
    )
    return train(task, batches, schedule, folder, fabric=fabric, progress=progress)


def quality_of(classifier: Any, data: Split) -> Evaluation:
    """AUC with its interval, calibration and accuracy on a split."""
    return evaluate(predict(classifier, data.images).double().numpy(), data.labels.numpy())


def train_stylex(workspace: Workspace, run: Run, progress: Progress) -> int:
    """Train and store a StylEx generator for `run.classifier_id`; returns the model's id.

    `run.settings`: positive, negative (labels, as for the classifier; by default the classifier's own classes),
    iterations, batch (16), recipe (a key of RECIPES), losses (fields of StylExTraining that differ from the recipe's),
    networks (fields of StylExConfig), start_from (id of a generator to go on from; its detail layer is fitted anew),
    shared (further pairs {"dataset_id", "classifier_id"} that share the generator; each gets a model of the same
    weights), detail (256; components of the detail layer that is fitted at the end, 0 for none), and those of the loop.
    """
    settings = STYLEX_DEFAULTS | run.settings
    if settings["recipe"] not in RECIPES:
        raise ValueError(f"no recipe {settings['recipe']!r}; there are {', '.join(RECIPES)}")
    assert run.dataset_id is not None and run.classifier_id is not None
    first = Material.of(
        workspace, run.dataset_id, run.classifier_id, 0, settings.get("positive"), settings.get("negative")
    )
    materials = [first]
    for pair in settings["shared"]:
        row = materials[-1].rows[-1] + 1
        materials.append(Material.of(workspace, pair["dataset_id"], pair["classifier_id"], row))
        if materials[-1].size != first.size:
            raise ValueError(f"classifiers that share a generator need one input size, not {first.size} px and others")
    torch.manual_seed(run.seed)
    generator = torch.Generator().manual_seed(run.seed)
    networks = {"size": first.size, "classes": sum(len(m.rows) for m in materials)} | settings["networks"]
    model = StylEx(StylExConfig(**networks))
    recipe = replace(RECIPES[settings["recipe"]], **settings["losses"])
    classifiers = [m.classifier for m in materials]
    task = StylExTask(model, classifiers, recipe, generator, iterations=int(settings["iterations"]))
    if settings["start_from"] is not None:
        task.begin_with(generator_folder(workspace, settings["start_from"]))
    images = torch.cat([m.train.images for m in materials])
    if recipe.match_codes:
        task.match_codes(images)
    labels = torch.cat([m.train.labels + m.rows[0] for m in materials])
    batches = Batches(images, labels, int(settings["batch"]), generator)
    if settings["patience"] is not None:
        task.held_out_images = first.split("val").images
    losses = _train(workspace, run, task, batches, settings, progress)
    adversarial = int(losses[-1]["iteration"]) > recipe.adversarial_from
    if not adversarial:
        task.match_codes(images)
    seen: dict[str, float] = {"images_seen": int(losses[-1]["iteration"]) * int(settings["batch"])}
    seen["hours"] = round(losses[-1]["seconds"] / 3600, 2)
    detail = None
    if settings["detail"]:
        drawn = None if adversarial else torch.Generator().manual_seed(run.seed)
        detail = fit_detail(task.average, images, int(settings["detail"]), drawn, progress)
    stored = [_store(workspace, run, settings, task, material, seen, adversarial, detail) for material in materials]
    model_id, quality = stored[0]
    _finish(workspace, run, losses, {"model_id": model_id, "model_ids": [one[0] for one in stored]} | quality)
    return model_id


@dataclass(frozen=True)
class Material:
    """A data set and the classifier that is explained on it; `rows`: its classes among all of a shared generator."""

    workspace: Workspace
    dataset_id: int
    classifier_id: int
    classifier: Classifier
    positive: str
    negative: str | None
    rows: tuple[int, ...]
    train: Split

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        dataset_id: int,
        classifier_id: int,
        row: int,
        positive: str | None = None,
        negative: str | None = None,
    ) -> Material:
        """Raises ValueError where the classifier does not take squares, or no image carries its label."""
        classifier = load_classifier(workspace, classifier_id)
        if len(classifier.size) != 2 or classifier.size[0] != classifier.size[1]:
            raise ValueError(
                f"StylEx draws squares, the classifier takes {classifier.size}: choose one with a square input"
            )
        positive = positive or classifier.class_names[1]
        rows = tuple(range(row, row + len(classifier.class_names)))
        train = load_split(workspace, dataset_id, "train", classifier.size[0], positive, negative)
        return cls(workspace, dataset_id, classifier_id, classifier, positive, negative, rows, train)

    @property
    def size(self) -> int:
        return self.classifier.size[0]

    def split(self, name: str) -> Split:
        return load_split(self.workspace, self.dataset_id, name, self.size, self.positive, self.negative)


def _store(
    workspace: Workspace,
    run: Run,
    settings: dict[str, Any],
    task: StylExTask,
    material: Material,
    seen: dict[str, float],
    adversarial: bool,
    detail: Detail | None,
) -> tuple[int, dict[str, float]]:
    """The trained generator as a model of one classifier; its id and its quality on the test split."""
    held_out = material.split("test").images
    quality, plain = held_out_quality(task.average, detail, material.rows, material.classifier, held_out)
    path, folder = new_folder(workspace)
    names = material.classifier.class_names
    card = _card(workspace, run, settings, material) | seen
    card |= {
        "name": run.name if not settings["shared"] else f"{card['classifier']}, StylEx",
        "classes": [names[0], material.positive],
        "test": quality | {"n": len(held_out)},
        "started_from": None,
        "code_scale": task.average.code_scale(material.train.images[:CODES].float() / 255),
    }
    if detail is not None:
        card["detail"] = {"components": len(detail.axes), "test_without": plain}
    if settings["shared"]:
        card["class_rows"] = list(material.rows)
    if settings["start_from"] is not None:
        card |= _sum_of_trainings(card, read_card(generator_folder(workspace, settings["start_from"])))
    save_stylex(folder, task.average, card, task.discriminator if adversarial else None, detail)
    ids = {"classifier_id": material.classifier_id, "dataset_id": material.dataset_id}
    return add_model(workspace, card["name"], path, **ids), quality


def held_out_quality(
    model: StylEx, detail: Detail | None, rows: Sequence[int], classifier: Classifier, images: Tensor
) -> tuple[dict[str, float], dict[str, float]]:
    """`reconstruction_quality` of a plain generator's classes `rows` with its detail layer, and without."""
    own = copy.deepcopy(model)
    own.keep_classes(rows)
    without = reconstruction_quality(own, classifier, images)
    if detail is None:
        return without, without
    # The layer and a shared generator's mean of all classes go together: the classes are chosen after it.
    own = copy.deepcopy(model)
    own.attach(copy.deepcopy(detail))
    own.keep_classes(rows)
    return reconstruction_quality(own, classifier, images), without


def _sum_of_trainings(card: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Images and hours of both trainings together, and which weights were gone on from."""
    return {
        "images_seen": card["images_seen"] + before.get("images_seen", 0),
        "hours": round(card["hours"] + before.get("hours", 0.0), 2),
        "started_from": {key: before.get(key) for key in ("name", "sha256", "command", "images_seen", "hours")},
    }


OPTIONS = ("classifier", "positive", "negative", "size", "iterations", "batch", "seconds", "recipe", "start_from")
LOOP_OPTIONS = ("accumulate", "precision", "patience")


def _command(run: Run, dataset: str, settings: dict[str, Any]) -> str:
    """The command line that repeats a training; changed losses or widths it cannot say, the card's settings do."""
    options = {"dataset": dataset, "name": run.name}
    options |= {key: settings[key] for key in OPTIONS if settings.get(key) is not None}
    options |= {key: settings[key] for key in LOOP_OPTIONS if settings[key] != LOOP_DEFAULTS[key]}
    words = [f"--{key.replace('_', '-')} {shlex.quote(str(value))}" for key, value in options.items()]
    words += [f"--share {shlex.quote(pair)}" for pair in settings.get("shared", [])]
    passes = settings.get("networks", {}).get("encoder_passes", 1)
    if passes != 1:
        words.append(f"--encoder-passes {passes}")
    if settings.get("detail", STYLEX_DEFAULTS["detail"]) != STYLEX_DEFAULTS["detail"]:
        words.append(f"--detail {settings['detail']}")
    return f"cfreader {run.kind} {' '.join(words)} --seed {run.seed}"


def _card(workspace: Workspace, run: Run, settings: dict[str, Any], material: Material | None = None) -> dict[str, Any]:
    """What is said of every trained model; `material`: of which pair, where several share the training."""
    with workspace.session() as session:
        dataset = session.get_one(Dataset, run.dataset_id)
        ids = {"classifier": run.classifier_id, "start_from": settings.get("start_from")}
        names: dict[str, Any] = {key: session.get_one(Model, id).name for key, id in ids.items() if id is not None}
        names["shared"] = [
            f"{session.get_one(Dataset, pair['dataset_id']).name}:{session.get_one(Model, pair['classifier_id']).name}"
            for pair in settings.get("shared", [])
        ]
        command = _command(run, dataset.name, settings | names)
        if material is not None:
            dataset = session.get_one(Dataset, material.dataset_id)
            names["classifier"] = session.get_one(Model, material.classifier_id).name
    return {
        "command": command,
        **({"classifier": names["classifier"]} if "classifier" in names else {}),
        "dataset": dataset.name,
        "dataset_meta": dataset.meta,
        "settings": settings,
        "seed": run.seed,
        "versions": versions(),
    }


def _finish(workspace: Workspace, run: Run, losses: list[dict[str, float]], figures: dict[str, Any]) -> None:
    thinned = losses[:: max(1, len(losses) // 200)]
    with workspace.session() as session:
        row = session.get_one(Run, run.id)
        grid = training_folder(workspace, run.id) / "grid.png"
        key = workspace.put(grid.read_bytes(), ".png") if grid.exists() else None
        row.result = {"losses": thinned, "grid": key} | figures
        row.versions = versions()
