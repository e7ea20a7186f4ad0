"""Measuring a model on an imported data set, and keeping the figures of the shipped ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from db.models import Image, Model
from services.datasets import DatasetView, dataset_named
from services.figures import ROOT, Figures, cached, measured, store
from services.models import SHIPPED, ModelView, load_classifier, load_generator, model_named
from services.training.material import Split, load_classes, load_split, quality_of
from services.workspace import Workspace

QUICK = 200
CLASSIFIER_SOURCES = (
    "cfcore/classifiers/base.py", "cfcore/classifiers/densenet.py", "cfcore/classifiers/resnet.py",
    "cfcore/classifiers/several.py", "cfcore/classifiers/training.py", "cfcore/classifiers/trunk.py",
    "services/training/material.py",
)  # fmt: skip
STYLEX_SOURCES = (
    "cfcore/classifiers/base.py", "cfcore/classifiers/densenet.py", "cfcore/generators/layers.py",
    "cfcore/generators/stylex", "services/training/material.py",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What to measure: a model by name on one split of a data set. `quick` takes the first 200 images of the split."""

    model: str
    dataset: str
    split: str = "test"
    quick: bool = False


def evaluate_classifier(workspace: Workspace, request: Request, *, from_store: bool = False) -> dict[str, Any]:
    """AUC with its interval (DeLong), accuracy, calibration error and Brier score of a classifier; of one with more
    than two classes accuracy with its interval (Wilson), macro AUC and calibration error.

    A full run on the test split with a shipped model is kept under benchmarks/results/; `from_store` gives it back with
    `stale`.

    Raises:
        ValueError: no such model or data set, or the split lacks one of the classes.
        FileNotFoundError: `from_store`, and nothing is kept.
    """
    model = model_named(workspace, request.model, "classifier")
    data = dataset_named(workspace, request.dataset)

    def work() -> dict[str, float]:
        network = load_classifier(workspace, model.id)
        chosen = _split(workspace, request, data, network.class_names, network.size[0])
        return {key: float(value) for key, value in asdict(quality_of(network, chosen)).items()}

    return _figures(workspace, "evaluate-classifier", request, model, data, CLASSIFIER_SOURCES, work, from_store)


def evaluate_stylex(workspace: Workspace, request: Request, *, from_store: bool = False) -> dict[str, Any]:
    """Held-out reconstruction of a StylEx generator: l1, ssim, agreement (share of images whose class under C is kept).

    Kept and raised as in `evaluate_classifier`.
    """
    model = model_named(workspace, request.model, "stylex")
    data = dataset_named(workspace, request.dataset)
    if model.classifier_id is None:
        raise ValueError(f"{model.name} does not say which classifier it was trained against: train it again")
    classifier_id = model.classifier_id

    def work() -> dict[str, float]:
        from cfcore.generators.stylex import StylEx
        from cfcore.generators.stylex.training import reconstruction_quality

        classifier, generator = load_classifier(workspace, classifier_id), load_generator(workspace, model.id)
        assert isinstance(generator, StylEx)
        chosen = _split(workspace, request, data, classifier.class_names, classifier.size[0])
        return reconstruction_quality(generator, classifier, chosen.images) | {"n": float(len(chosen.images))}

    return _figures(workspace, "evaluate-stylex", request, model, data, STYLEX_SOURCES, work, from_store)


def _split(workspace: Workspace, request: Request, data: DatasetView, names: tuple[str, ...], size: int) -> Split:
    if len(names) > 2:
        chosen = load_classes(workspace, data.id, request.split, size, names)
    else:
        negative = names[0] if names[0] in data.labels else None
        chosen = load_split(workspace, data.id, request.split, size, names[1], negative)
    if not request.quick:
        return chosen
    # Every so many, so that a data set sorted by class still shows both.
    step = max(1, len(chosen.labels) // QUICK)
    return Split(chosen.images[::step][:QUICK], chosen.labels[::step][:QUICK])


def _figures(
    workspace: Workspace,
    command: str,
    request: Request,
    model: ModelView,
    data: DatasetView,
    sources: tuple[str, ...],
    work: Callable[[], dict[str, float]],
    from_store: bool,
) -> dict[str, Any]:
    # The card's name, not the table's: that one gets a number where a workspace had the name already.
    own_name = model.card.get("name", model.name)
    name = f"{command}--{slug(own_name)}--{slug(data.name)}"
    inputs = {"weights": model.sha256, "data": data_hash(workspace, data.id)}
    if from_store:
        return cached(name, inputs)
    result: Figures = measured(name, asdict(request), work)
    if request.split == "test" and not request.quick and is_shipped(workspace, model.id):
        store(result, inputs, [path for source in sources for path in _python_files(ROOT / source)])
    return asdict(result)


def _python_files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def slug(name: str) -> str:
    """A name as it stands in the name of a stored file."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def data_hash(workspace: Workspace, dataset_id: int) -> str:
    """SHA-256 over the sorted hashes of all images of a data set."""
    with workspace.session() as session:
        hashes = session.scalars(sa.select(Image.sha256).where(Image.dataset_id == dataset_id)).all()
    return hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()


def is_shipped(workspace: Workspace, model_id: int) -> bool:
    """Whether a model came with the code, under weights/."""
    with workspace.session() as session:
        return session.get_one(Model, model_id).path.startswith(SHIPPED)
