"""Commands that train and evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from cfcore.classifiers.architectures import TITLES
from services.datasets import DatasetView
from services.workspace import Workspace, open_workspace

from .output import Cached, JsonOption, Quick, WorkspaceOption, plain_errors, say, terminal_progress

Dataset = Annotated[str, typer.Option("--dataset", help="Name of an imported data set.")]
Seconds = Annotated[float | None, typer.Option(help="Stop after so many seconds.")]
Accumulate = Annotated[int, typer.Option(min=1, help="Pieces that a batch is passed in, to save memory.")]
Precision = Annotated[str, typer.Option(help='"32-true", or "bf16-mixed" for a GPU.')]
Patience = Annotated[
    int | None, typer.Option(min=1, help="Stop after so many checkpoints without gain on the val split; keep the best.")
]
TensorBoard = Annotated[bool, typer.Option("--tensorboard", help="Write the losses for TensorBoard, too.")]

Losses = Annotated[
    list[str] | None,
    typer.Option("--loss", help="A loss' setting that differs from the recipe's, like rate=0.001; repeatable."),
]

Components = Annotated[
    int, typer.Option(min=0, help="Principal components of the detail layer, fitted at the end; 0 for none.")
]


def run_to_end(
    workspace: Any, kind: str, name: str, settings: dict[str, Any], seed: int, as_json: bool, **ids: Any
) -> Any:
    """Queue a run, do it here with a progress bar, and give its view."""
    from services.foreground import finish_run
    from services.runs import start_run

    run_id = start_run(workspace, kind, name, settings, seed, actor="command line", **ids)
    view = finish_run(workspace, run_id, terminal_progress(as_json))
    if not as_json:
        typer.echo("", err=True)
    return view


def loss_settings(texts: Sequence[str] | None, usual: Any) -> dict[str, Any]:
    """{name: value} of "name=value" texts, each value of the type that `usual`, a dataclass of settings, has there.

    Raises:
        ValueError: another form, a name that is none of its fields, or a value of another type.
    """
    return dict(_loss_setting(text, usual) for text in texts or ())


def _loss_setting(text: str, usual: Any) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    known = {one.name: type(getattr(usual, one.name)) for one in fields(usual)}
    if not found or name not in known:
        raise ValueError(f"--loss takes NAME=VALUE, not {text!r}; names are {', '.join(known)}")
    kind = known[name]
    if kind is bool:
        return name, value.lower() in ("true", "yes", "1")
    try:
        return name, kind(value)
    except ValueError as error:
        raise ValueError(f"{name} is a number, not {value!r}: write it like {name}=2") from error


@plain_errors
def train_classifier(
    dataset: Dataset,
    positive: Annotated[str | None, typer.Option(help="Label of the positive class.")] = None,
    negative: Annotated[str | None, typer.Option(help="Label of the negative class; all the rest without it.")] = None,
    classes: Annotated[
        str | None,
        typer.Option(help='Instead of these two: labels with commas between them, "all" for those of the data set.'),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model.")] = None,
    architecture: Annotated[str, typer.Option(help=", ".join(TITLES) + "; for more than two classes a ResNet.")] = (
        "densenet121"
    ),
    width: Annotated[float, typer.Option(help="Factor on the channels; not of a DenseNet.")] = 1.0,
    size: int = 64,
    iterations: int = 700,
    batch: int = 32,
    seconds: Seconds = None,
    accumulate: Accumulate = 1,
    precision: Precision = "32-true",
    patience: Patience = None,
    tensorboard: TensorBoard = False,
    seed: int = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Train a classifier, one channel, with balanced sampling; report AUC, or accuracy, on the test split."""
    from services.datasets import dataset_named

    opened = open_workspace(workspace)
    data = dataset_named(opened, dataset)
    told, title = _asked_classes(data, positive, negative, classes)
    settings = told | {
        "architecture": architecture,
        "width": width,
        "size": size,
        "iterations": iterations,
        "batch": batch,
        "seconds": seconds,
        "accumulate": accumulate,
        "precision": precision,
        "patience": patience,
        "tensorboard": tensorboard,
    }
    view = run_to_end(
        opened,
        "train classifier",
        name or f"{title}, {TITLES.get(architecture, architecture)}",
        settings,
        seed,
        json,
        dataset_id=data.id,
    )
    id, found = view.result["model_id"], {k: v for k, v in view.result.items() if k in ("auc", "accuracy", "macro_auc")}
    figures = ", ".join(f"{key.replace('_', ' ').replace('auc', 'AUC')} {value:.3f}" for key, value in found.items())
    result = {"run": view.id, "model": id} | found | {"seconds": view.seconds}
    say(result, json, f"Model {id}: test {figures}, {view.seconds:.0f} s")


def _asked_classes(
    data: DatasetView, positive: str | None, negative: str | None, classes: str | None
) -> tuple[dict[str, Any], str]:
    """Settings of the classes that are asked for, and what they are called in short."""
    if (positive is None) == (classes is None):
        raise ValueError("give --positive (with --negative or against all the rest), or --classes, one of the two")
    if classes is None:
        return {"positive": positive, "negative": negative}, str(positive)
    if negative is not None:
        raise ValueError("--negative goes with --positive: name it among --classes")
    names = sorted(data.labels) if classes == "all" else [name.strip() for name in classes.split(",")]
    return {"classes": names}, data.name if classes == "all" else "/".join(names)


@plain_errors
def train_stylex(
    dataset: Dataset,
    classifier: Annotated[str, typer.Option(help="Name of the classifier that is explained.")],
    name: Annotated[str | None, typer.Option(help="Name of the model.")] = None,
    iterations: int = 6000,
    batch: int = 16,
    seconds: Seconds = None,
    recipe: Annotated[
        str,
        typer.Option(
            help='"reconstruct" (first phase on a CPU), "continue" (more of it, with --start-from), "adversarial" '
            '(second phase, with --start-from) or "paper" (all).'
        ),
    ] = "reconstruct",
    start_from: Annotated[
        str | None,
        typer.Option(help="Name of a generator to go on from; one of fewer pixels grows to the classifier's size."),
    ] = None,
    share: Annotated[
        list[str] | None,
        typer.Option(help="DATASET:CLASSIFIER that shares the generator; may be given several times."),
    ] = None,
    encoder_passes: Annotated[
        int, typer.Option(help="2: the encoder looks again at what its first reconstruction misses.")
    ] = 1,
    detail: Components = 256,
    augment: Annotated[
        str | None,
        typer.Option(
            help='For few images: "images" (random shifts, scales, turns and exposures of all that is trained on) or '
            '"discriminator" (what it is shown, the more the better it knows the training images; adversarial recipes).'
        ),
    ] = None,
    accumulate: Accumulate = 1,
    precision: Precision = "32-true",
    patience: Patience = None,
    tensorboard: TensorBoard = False,
    seed: int = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Train a StylEx generator against a frozen classifier; report held-out reconstruction."""
    from services.datasets import dataset_named
    from services.models import model_named

    opened = with_shipped(workspace)
    begin = model_named(opened, start_from, "stylex").id if start_from else None
    settings = {
        "iterations": iterations,
        "batch": batch,
        "seconds": seconds,
        "recipe": recipe,
        "start_from": begin,
        "networks": {} if encoder_passes == 1 else {"encoder_passes": encoder_passes},
        "shared": [_shared(opened, pair) for pair in share or ()],
        "detail": detail,
        "augment": augment,
        "accumulate": accumulate,
        "precision": precision,
        "patience": patience,
        "tensorboard": tensorboard,
    }
    view = run_to_end(
        opened,
        "train stylex",
        name or f"{classifier}, StylEx",
        settings,
        seed,
        json,
        dataset_id=dataset_named(opened, dataset).id,
        classifier_id=model_named(opened, classifier, "classifier").id,
    )
    figures = {key: view.result[key] for key in ("l1", "ssim", "agreement")}
    text = ", ".join(f"{key} {value:.3f}" for key, value in figures.items())
    say({"run": view.id, "model": view.result["model_id"], "seconds": view.seconds} | figures, json, text)


def _shared(workspace: Workspace, pair: str) -> dict[str, int]:
    """Ids of "DATASET:CLASSIFIER"."""
    from services.datasets import dataset_named
    from services.models import model_named

    dataset, found, classifier = pair.partition(":")
    if not found:
        raise ValueError(f"--share takes DATASET:CLASSIFIER, not {pair!r}")
    return {
        "dataset_id": dataset_named(workspace, dataset).id,
        "classifier_id": model_named(workspace, classifier, "classifier").id,
    }


@plain_errors
def train_medxgan(
    dataset: Dataset,
    classifier: Annotated[str, typer.Option(help="Name of the classifier that is explained.")],
    name: Annotated[str | None, typer.Option(help="Name of the model.")] = None,
    iterations: int = 8000,
    batch: int = 32,
    seconds: Seconds = None,
    recipe: Annotated[
        str,
        typer.Option(
            help='"covered" (with an encoder; for a CPU), "guided" (and with the classifier\'s activations kept) or '
            '"paper" (the GAN and the classifier alone).'
        ),
    ] = "covered",
    anatomy: Annotated[int, typer.Option(help="Length of z1; the paper's for MRI: 1000.", min=1)] = 100,
    pathology: Annotated[int, typer.Option(help="Length of z2; the paper's for MRI: 100.", min=1)] = 10,
    width: Annotated[float | None, typer.Option(help="Factor on the channels of G, E and D (1).")] = None,
    start_from: Annotated[str | None, typer.Option(help="Name of a generator to go on from.")] = None,
    loss: Losses = None,
    accumulate: Accumulate = 1,
    precision: Precision = "32-true",
    patience: Patience = None,
    tensorboard: TensorBoard = False,
    seed: int = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Train a medXGAN generator against a frozen classifier; report the class of its samples."""
    from cfcore.generators.medxgan.training import MedXGANTraining
    from services.datasets import dataset_named
    from services.models import model_named

    opened = with_shipped(workspace)
    settings = {
        "iterations": iterations,
        "batch": batch,
        "seconds": seconds,
        "recipe": recipe,
        "networks": ({} if anatomy == 100 else {"anatomy": anatomy})
        | ({} if pathology == 10 else {"pathology": pathology}),
        "width": width,
        "losses": loss_settings(loss, MedXGANTraining()),
        "start_from": model_named(opened, start_from, "medxgan").id if start_from else None,
        "accumulate": accumulate,
        "precision": precision,
        "patience": patience,
        "tensorboard": tensorboard,
    }
    view = run_to_end(
        opened,
        "train medxgan",
        name or f"{classifier}, medXGAN",
        settings,
        seed,
        json,
        dataset_id=dataset_named(opened, dataset).id,
        classifier_id=model_named(opened, classifier, "classifier").id,
    )
    shown = ("negative_accuracy", "positive_accuracy", "l1", "agreement", "other_class")
    drawn = {key: view.result[key] for key in shown if key in view.result}
    text = (
        f"Model {view.result['model_id']}: {drawn['negative_accuracy']:.1%} of the negative samples and "
        f"{drawn['positive_accuracy']:.1%} of the positive ones are that class"
    )
    if "l1" in drawn:
        text += f", held-out L1 {drawn['l1']:.4f}"
    result = {"run": view.id, "model": view.result["model_id"]} | drawn
    say(result, json, text)


@plain_errors
def train_detail(
    generator: Annotated[str, typer.Option(help="Name of the StylEx generator that gets the layer.")],
    dataset: Annotated[
        list[str], typer.Option(help="Data set whose training images it is fitted on; may be given several times.")
    ],
    components: Annotated[int, typer.Option(min=1, help="Principal components.")] = 256,
    name: Annotated[str | None, typer.Option(help="Name of the new model.")] = None,
    seed: int = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Fit a detail layer to a generator that is there already; the result is a new model."""
    from services.detail_layer import train_detail as fit
    from services.models import list_models

    opened = with_shipped(workspace)
    show = terminal_progress(json)
    id = fit(opened, generator, dataset, components, name=name, seed=seed, progress=show)
    if not json:
        typer.echo("", err=True)
    card = next(model.card for model in list_models(opened, "stylex") if model.id == id)
    before, after = card["detail"]["test_without"], card["test"]
    text = ", ".join(f"{key} {before[key]:.3f} to {after[key]:.3f}" for key in before)
    say({"model": id, "without": before} | after, json, f"Model {id}: {text}")


Split = Annotated[str, typer.Option(help="Split that is measured: test, val or train.")]


@plain_errors
def evaluate_classifier(
    classifier: Annotated[str, typer.Argument(help="Name of the classifier.")],
    dataset: Dataset,
    split: Split = "test",
    quick: Quick = False,
    cached: Cached = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """AUC with interval (DeLong), accuracy and calibration on a split of any imported data set; of more than two
    classes accuracy with interval (Wilson) and macro AUC."""
    from services.evaluation import Request
    from services.evaluation import evaluate_classifier as evaluate

    result = evaluate(with_shipped(workspace), Request(classifier, dataset, split, quick), from_store=cached)
    figures = result["figures"]
    key, title = ("auc", "AUC") if "auc" in figures else ("accuracy", "accuracy")
    low, high = figures[f"{key}_low"], figures[f"{key}_high"]
    text = f"{title} {figures[key]:.3f} ({low:.3f} to {high:.3f}), n = {figures['n']:.0f}"
    say(result, json, text)


@plain_errors
def evaluate_stylex(
    generator: Annotated[str, typer.Argument(help="Name of the StylEx generator.")],
    dataset: Dataset,
    split: Split = "test",
    quick: Quick = False,
    cached: Cached = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Reconstruction of held-out images: L1, SSIM, and the share whose class under the classifier is kept."""
    from services.evaluation import Request
    from services.evaluation import evaluate_stylex as evaluate

    result = evaluate(with_shipped(workspace), Request(generator, dataset, split, quick), from_store=cached)
    say(result, json, ", ".join(f"{key} {value:.4g}" for key, value in result["figures"].items()))


def with_shipped(folder: Path | None) -> Workspace:
    """The workspace, with the shipped models entered: they can be measured without the demo."""
    from services.models import register_shipped

    opened = open_workspace(folder)
    register_shipped(opened)
    return opened
