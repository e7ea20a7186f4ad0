"""Training StylEx against one classifier or several."""

from __future__ import annotations

import copy
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.base import Progress
from cfcore.generators.augmented import AugmentedBatches
from cfcore.generators.stylex.adaptive import AdaptiveStylExTask
from cfcore.generators.stylex.detail import Detail, fit_detail
from cfcore.generators.stylex.grown import begin_with_smaller, stored_size
from cfcore.generators.stylex.half_range import hold_in_half
from cfcore.generators.stylex.model import StylEx, StylExConfig, save_stylex
from cfcore.generators.stylex.training import RECIPES, StylExTask, StylExTraining, reconstruction_quality
from cfcore.training.batches import Batches
from cfcore.training.weights import read_card
from db.models import Dataset, Model, Run
from services.models import add_model, generator_folder, load_classifier, new_folder
from services.training.common import LOOP_DEFAULTS, card_of, finish, run_loop, sum_of_trainings
from services.training.material import Split, load_classes, load_split
from services.workspace import Workspace

STYLEX_DEFAULTS: dict[str, Any] = LOOP_DEFAULTS | {
    "iterations": 6000,
    "batch": 16,
    "recipe": "reconstruct",
    "losses": {},
    "networks": {},
    "shared": [],
    "start_from": None,
    "detail": 256,
    "augment": None,
}
CODES = 512
AUGMENT = ("images", "discriminator")
"""What may be augmented: all that is trained on, as a classifier's images are, or what the discriminator sees."""


def train_stylex(workspace: Workspace, run: Run, progress: Progress) -> int:
    """Train and store a StylEx generator for `run.classifier_id`; returns the model's id.

    `run.settings`: positive, negative (labels, as for the classifier; by default the classifier's own classes, and
    always those where they are more than two), iterations, batch (16), recipe (a key of RECIPES), losses (fields of
    StylExTraining that differ from the recipe's), networks (fields of StylExConfig), start_from (id of a generator to
    go on from, one of fewer pixels grows; its detail layer is fitted anew), shared (further pairs {"dataset_id",
    "classifier_id"} that share the generator; each gets a model of the same weights), detail (256; components of the
    detail layer that is fitted at the end, 0 for none), augment (one of AUGMENT), and those of the loop.
    """
    settings = STYLEX_DEFAULTS | run.settings
    if settings["recipe"] not in RECIPES:
        raise ValueError(f"no recipe {settings['recipe']!r}; there are {', '.join(RECIPES)}")
    recipe = replace(RECIPES[settings["recipe"]], **settings["losses"])
    _check_augment(settings, recipe)
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
    classifiers = [m.classifier for m in materials]
    kind = AdaptiveStylExTask if settings["augment"] == "discriminator" else StylExTask
    task = kind(model, classifiers, recipe, generator, iterations=int(settings["iterations"]))
    if settings["start_from"] is not None:
        folder = generator_folder(workspace, settings["start_from"])
        if (side := stored_size(folder)) > first.size:
            raise ValueError(
                f"the generator to go on from draws {side} px, the classifier takes {first.size} px: start from one of "
                f"at most {first.size} px, it grows where it is smaller"
            )
        begin = begin_with_smaller if side < first.size else StylExTask.begin_with
        begin(task, folder)
    images = torch.cat([m.train.images for m in materials])
    if recipe.match_codes:
        task.match_codes(images)
    labels = torch.cat([m.train.labels + m.rows[0] for m in materials])
    stream = AugmentedBatches if settings["augment"] == "images" else Batches
    batches = stream(images, labels, int(settings["batch"]), generator)
    if settings["patience"] is not None:
        task.held_out_images = first.split("val").images
    losses = run_loop(workspace, run, task, batches, settings, progress)
    adversarial = int(losses[-1]["iteration"]) > recipe.adversarial_from
    if not adversarial:
        task.match_codes(images)
    hold_in_half(task.average.mapping)
    seen: dict[str, float] = {"images_seen": int(losses[-1]["iteration"]) * int(settings["batch"])}
    seen["hours"] = round(losses[-1]["seconds"] / 3600, 2)
    detail = None
    if settings["detail"]:
        drawn = None if adversarial else torch.Generator().manual_seed(run.seed)
        detail = fit_detail(task.average, images, int(settings["detail"]), drawn, progress)
    stored = [_store(workspace, run, settings, task, material, seen, adversarial, detail) for material in materials]
    model_id, quality = stored[0]
    finish(workspace, run, losses, {"model_id": model_id, "model_ids": [one[0] for one in stored]} | quality)
    return model_id


def _check_augment(settings: dict[str, Any], recipe: StylExTraining) -> None:
    augment = settings["augment"]
    if augment not in (None, *AUGMENT):
        raise ValueError(f"no augmentation {augment!r}; there are {', '.join(AUGMENT)}")
    if augment == "discriminator" and recipe.adversarial_from >= int(settings["iterations"]):
        raise ValueError(
            f"the recipe {settings['recipe']!r} trains no discriminator whose pictures could be augmented: choose "
            '"adversarial" or "paper", or augment the images'
        )


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
        train = _load(workspace, dataset_id, "train", classifier, positive, negative)
        return cls(workspace, dataset_id, classifier_id, classifier, positive, negative, rows, train)

    @property
    def size(self) -> int:
        return self.classifier.size[0]

    def split(self, name: str) -> Split:
        return _load(self.workspace, self.dataset_id, name, self.classifier, self.positive, self.negative)


def _load(
    workspace: Workspace, dataset_id: int, split: str, classifier: Classifier, positive: str, negative: str | None
) -> Split:
    """The images of a split, labelled by the classifier's own classes where those are more than two."""
    size, names = classifier.size[0], classifier.class_names
    if len(names) > 2:
        return load_classes(workspace, dataset_id, split, size, names)
    return load_split(workspace, dataset_id, split, size, positive, negative)


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
    pair = material.dataset_id, material.classifier_id
    card = card_of(workspace, run, settings, _options(workspace, settings), pair) | seen
    card |= {
        "name": run.name if not settings["shared"] else f"{card['classifier']}, StylEx",
        "classes": list(names) if len(names) > 2 else [names[0], material.positive],
        "test": quality | {"n": len(held_out)},
        "started_from": None,
        "code_scale": task.average.code_scale(material.train.images[:CODES].float() / 255),
    }
    if detail is not None:
        card["detail"] = {"components": len(detail.axes), "test_without": plain}
    if settings["shared"]:
        card["class_rows"] = list(material.rows)
    if settings["start_from"] is not None:
        card |= sum_of_trainings(card, read_card(generator_folder(workspace, settings["start_from"])))
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


def _options(workspace: Workspace, settings: dict[str, Any]) -> list[str]:
    """Options of the command line that only this training has."""
    with workspace.session() as session:
        shared = [
            f"{session.get_one(Dataset, pair['dataset_id']).name}:{session.get_one(Model, pair['classifier_id']).name}"
            for pair in settings["shared"]
        ]
    words = [f"--share {shlex.quote(pair)}" for pair in shared]
    passes = settings["networks"].get("encoder_passes", 1)
    if passes != 1:
        words.append(f"--encoder-passes {passes}")
    if settings["detail"] != STYLEX_DEFAULTS["detail"]:
        words.append(f"--detail {settings['detail']}")
    if settings["augment"]:
        words.append(f"--augment {settings['augment']}")
    return words
