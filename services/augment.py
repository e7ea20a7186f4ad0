"""Training a classifier with drawn images beside the real ones: does it read held-out images better?"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.classifiers.store import TITLES, build_classifier
from cfcore.classifiers.training import ClassifierTask, evaluate, predict
from cfcore.engines.base import Progress, silent
from cfcore.generators.sampling import Samples, balanced, near_boundary, sampler_of
from cfcore.images.image import Pixels
from cfcore.metrics.means import t_mean
from cfcore.training.batches import Batches
from cfcore.training.loop import Schedule, train
from cfcore.training.weights import freeze
from services.datasets import dataset_named
from services.evaluation import data_hash, is_shipped, slug
from services.figures import cached, store
from services.importing import ImportResult, Row, free_name, write_made
from services.models import ModelView, list_models, load_classifier, load_generator
from services.reproduce.result import Reproduction, plain, source_files, spread
from services.training.material import Split, load_split
from services.workspace import Workspace

NAME = "augment"
FEWEST_SEEDS = 5  # below that nothing is stored
SMALL = "small-cnn"
QUICK_IMAGES = 120
DRAWING = 0.1  # of a seed's progress
SOURCES = (
    "cfcore/classifiers", "cfcore/generators", "cfcore/training", "cfcore/metrics/means.py", "services/augment.py",
    "services/training/material.py",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What to draw, and how C is trained again.

    Attributes:
        generator: name of a medXGAN, StylEx or VAE generator. n: images drawn. boundary: near C's decision boundary,
            else balanced over the classes. seeds: trainings of each kind; drawn images, weights and batches all follow
            them.
        architecture, width: of the network that is trained; None takes the generator's own classifier's.
        quick: a small network on a few images, two seeds.
    """

    generator: str
    n: int = 1000
    boundary: bool = False
    seeds: int = 5
    architecture: str | None = None
    width: float | None = None
    iterations: int = 700
    batch: int = 32
    seed: int = 0
    quick: bool = False


def write_samples(workspace: Workspace, request: Request, name: str, progress: Progress = silent) -> ImportResult:
    """Draw `request.n` images and keep them as a new data set, all in the train split.

    Labels are the class names of the generator's classifier; `meta["generated"]` of an image has C's probability and
    the seed, of the data set the generator with its hash.

    Raises:
        ImportRefused: the name is taken. ValueError: as `drawn_samples`.
    """
    name = free_name(workspace, name)
    model = _generator(workspace, request.generator)
    classifier = _own_classifier(workspace, model)
    samples = drawn_samples(workspace, model, request, request.seed, progress)
    pixels = (samples.images[:, 0] * 255).round().byte().numpy()

    def pictures() -> Iterator[tuple[Pixels, Row]]:
        for i, (image, label, p) in enumerate(zip(pixels, samples.labels.tolist(), samples.probability, strict=True)):
            meta = {"source": "generated", "generated": {"seed": request.seed, "p": round(p.item(), 4)}}
            patient = f"{NAME}-{model.sha256[:12]}-{request.seed}-{i}"
            yield image, Row(patient=patient, split="train", labels=[classifier.class_names[label]], meta=meta)

    made = {
        "generator": model.card.get("name", model.name),
        "sha256": model.sha256,
        "n": request.n,
        "seed": request.seed,
        "near_boundary": request.boundary,
        "tried": samples.tried,
    }
    return write_made(workspace, name, "generated", made, pictures(), request.n, progress, "command line")


def compare(
    workspace: Workspace,
    request: Request,
    dataset: str,
    *,
    from_store: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train C on the real train split, and on it with drawn images; both on the test split, seed by seed.

    Figures: auc_real, auc_augmented, auc_difference (augmented less real of the same seed: same first weights), each a
    mean over seeds with its t interval; real_n, drawn_n, test_n, drawn_tried (patients drawn for them, mean). Rows: one
    a seed. A full run with a shipped generator and five seeds or more is stored.

    Raises:
        ValueError: no such model or data set, no classes in a split, or as `drawn_samples`.
        FileNotFoundError: `from_store`, and nothing is kept.
    """
    if request.seeds < 2:
        raise ValueError(f"seeds is {request.seeds}: at least 2 give an interval, 5 are usual")
    model, data = _generator(workspace, request.generator), dataset_named(workspace, dataset)
    name = f"{NAME}--{slug(model.card.get('name', model.name))}--{slug(data.name)}"
    name += "--near-boundary" if request.boundary else ""
    inputs = {"weights": model.sha256, "data": data_hash(workspace, data.id)}
    if from_store:
        return cached(name, inputs)
    classifier = _own_classifier(workspace, model)
    request = _settled(workspace, model, request)
    names, size = classifier.class_names, classifier.size[0]
    negative = names[0] if names[0] in data.labels else None
    splits = [load_split(workspace, data.id, split, size, names[1], negative) for split in ("train", "test")]
    real, test = (_some(split) for split in splits) if request.quick else splits
    started, rows = time.perf_counter(), []
    for i in range(request.seeds):

        def tell(share: float, message: str, begun: int = i) -> None:
            progress((begun + share) / request.seeds, f"seed {begun + 1} of {request.seeds}: {message}")

        rows.append(_one_seed(workspace, model, classifier, request, request.seed + i, real, test, tell))
    figures: dict[str, float] = {}
    for key in ("auc_real", "auc_augmented", "auc_difference"):
        figures |= spread(key, t_mean([row[key] for row in rows]))
    figures |= {"real_n": float(len(real.labels)), "drawn_n": float(request.n), "test_n": float(len(test.labels))}
    figures["drawn_tried"] = sum(row["tried"] for row in rows) / len(rows)
    seconds = round(time.perf_counter() - started, 2)
    result = Reproduction(name, figures, asdict(request) | {"dataset": data.name}, seconds, rows=rows)
    if not request.quick and request.seeds >= FEWEST_SEEDS and is_shipped(workspace, model.id):
        store(result, inputs, source_files(SOURCES))
    return plain(result)


def drawn_samples(
    workspace: Workspace, model: ModelView, request: Request, seed: int, progress: Progress = silent
) -> Samples:
    """The images that a request asks for, from a seed. Raises ValueError as `balanced` and `near_boundary`."""
    sampler = sampler_of(load_generator(workspace, model.id))
    draw = near_boundary if request.boundary else balanced
    return draw(sampler, _own_classifier(workspace, model), request.n, torch.Generator().manual_seed(seed), progress)


def _one_seed(
    workspace: Workspace,
    model: ModelView,
    classifier: Classifier,
    request: Request,
    seed: int,
    real: Split,
    test: Split,
    progress: Progress,
) -> dict[str, Any]:
    samples = drawn_samples(
        workspace, model, request, seed, lambda share, message: progress(DRAWING * share, f"drawing, {message}")
    )
    more = (samples.images * 255).round().byte()
    both = Split(torch.cat([real.images, more]), torch.cat([real.labels, samples.labels]))
    found = {}
    for i, (key, split) in enumerate((("real", real), ("augmented", both))):

        def tell(share: float, message: str, begun: int = i, kind: str = key) -> None:
            progress(DRAWING + (1 - DRAWING) * (begun + share) / 2, f"{kind}, {message}")

        trained = _trained(classifier, request, seed, split, tell)
        probability = predict(trained, test.images).double().numpy()
        found[f"auc_{key}"] = evaluate(probability, test.labels.numpy()).auc
    difference = found["auc_augmented"] - found["auc_real"]
    return {"seed": seed} | found | {"auc_difference": difference, "tried": samples.tried}


def _trained(like: Classifier, request: Request, seed: int, split: Split, progress: Progress) -> Classifier:
    """A fresh network for the classes and size of `like`, trained on a split."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    assert request.architecture is not None and len(like.class_names) == 2
    names = (like.class_names[0], like.class_names[1])
    network = build_classifier(request.architecture, names, like.size[0], width=request.width or 1.0)
    task = ClassifierTask(network, request.iterations, generator)
    batches = Batches(split.images, split.labels, request.batch, generator, balanced=True)
    with tempfile.TemporaryDirectory() as folder:
        schedule = Schedule(request.iterations, checkpoint=request.iterations)
        train(task, batches, schedule, Path(folder), progress=progress)
    freeze(network)
    return network


def _settled(workspace: Workspace, model: ModelView, request: Request) -> Request:
    """The request with every setting told: the classifier's own architecture, or the small one of a quick run."""
    if request.quick:
        request = replace(request, n=min(request.n, 40), seeds=2, iterations=min(request.iterations, 20), width=0.25)
        return replace(request, architecture=request.architecture or SMALL)
    card = next(m.card for m in list_models(workspace, "classifier") if m.id == model.classifier_id)
    architecture = request.architecture or card.get("architecture", SMALL)
    if architecture not in TITLES:
        raise ValueError(f"a {architecture!r} cannot be trained here: choose --architecture {', '.join(TITLES)}")
    own = card.get("width", 1.0) if architecture == card.get("architecture") else 1.0
    return replace(request, architecture=architecture, width=own if request.width is None else request.width)


def _some(split: Split) -> Split:
    # Every so many, so that a data set sorted by class still shows both.
    step = max(1, len(split.labels) // QUICK_IMAGES)
    images: Tensor = split.images[::step]
    return Split(images, split.labels[::step])


def _generator(workspace: Workspace, name: str) -> ModelView:
    found = [model for model in list_models(workspace) if model.kind != "classifier"]
    for model in found:
        if model.name == name:
            return model
    raise ValueError(f"no generator called {name!r}; there are: {', '.join(m.name for m in found) or 'none'}")


def _own_classifier(workspace: Workspace, model: ModelView) -> Classifier:
    if model.classifier_id is None:
        raise ValueError(f"{model.name} does not say which classifier it was trained against: train it again")
    return load_classifier(workspace, model.classifier_id)
