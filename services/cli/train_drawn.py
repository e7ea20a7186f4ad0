"""Commands that train a VAE, ExplainGAN and C3LT."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .models import (
    Accumulate,
    Dataset,
    Losses,
    Patience,
    Precision,
    Seconds,
    TensorBoard,
    loss_settings,
    run_to_end,
    with_shipped,
)
from .output import JsonOption, WorkspaceOption, plain_errors, say

Classifier = Annotated[str, typer.Option(help="Name of the classifier that is explained.")]
Name = Annotated[str | None, typer.Option(help="Name of the model.")]


@plain_errors
def train_vae(
    dataset: Dataset,
    classifier: Annotated[str, typer.Option(help="Name of the classifier whose input size it draws.")],
    name: Name = None,
    iterations: int = 6000,
    batch: int = 64,
    seconds: Seconds = None,
    recipe: Annotated[str, typer.Option(help='Likelihood of the pixels: "l1" (Laplace) or "gaussian".')] = "l1",
    loss: Losses = None,
    accumulate: Accumulate = 1,
    precision: Precision = "32-true",
    patience: Patience = None,
    tensorboard: TensorBoard = False,
    seed: int = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Train a VAE, which REVISE searches and C3LT moves in; report held-out reconstruction."""
    from cfcore.generators.vae.training import VAETraining

    settings = {
        "iterations": iterations,
        "batch": batch,
        "seconds": seconds,
        "recipe": recipe,
        "losses": loss_settings(loss, VAETraining()),
        "accumulate": accumulate,
        "precision": precision,
        "patience": patience,
        "tensorboard": tensorboard,
    }
    _train("vae", dataset, classifier, name or f"{classifier}, VAE", settings, seed, workspace, json)


@plain_errors
def train_expgan(
    dataset: Dataset,
    classifier: Classifier,
    name: Name = None,
    iterations: int = 4000,
    batch: int = 32,
    seconds: Seconds = None,
    recipe: Annotated[
        str, typer.Option(help='"short" (asks the classifier every second iteration; for a CPU) or "full".')
    ] = "short",
    loss: Losses = None,
    accumulate: Accumulate = 1,
    precision: Precision = "32-true",
    patience: Patience = None,
    tensorboard: TensorBoard = False,
    seed: int = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Train ExplainGAN against a frozen classifier; report held-out validity and L1."""
    from cfcore.generators.expgan.training import ExpGANTraining

    settings = {
        "iterations": iterations,
        "batch": batch,
        "seconds": seconds,
        "recipe": recipe,
        "losses": loss_settings(loss, ExpGANTraining()),
        "accumulate": accumulate,
        "precision": precision,
        "patience": patience,
        "tensorboard": tensorboard,
    }
    _train("expgan", dataset, classifier, name or f"{classifier}, ExplainGAN", settings, seed, workspace, json)


@plain_errors
def train_c3lt(
    dataset: Dataset,
    classifier: Classifier,
    vae: Annotated[
        str | None, typer.Option(help="Name of the VAE in whose latent it moves; the newest of the classifier without.")
    ] = None,
    name: Name = None,
    iterations: int = 2000,
    batch: int = 32,
    seconds: Seconds = None,
    recipe: Annotated[
        str, typer.Option(help='"short" (asks the classifier every second iteration; for a CPU) or "paper".')
    ] = "short",
    loss: Losses = None,
    accumulate: Accumulate = 1,
    precision: Precision = "32-true",
    patience: Patience = None,
    tensorboard: TensorBoard = False,
    seed: int = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Train C3LT's transformation against a frozen classifier and a frozen VAE; report held-out validity and L1."""
    from cfcore.generators.c3lt.training import C3LTTraining
    from services.models import model_named

    settings = {
        "iterations": iterations,
        "batch": batch,
        "seconds": seconds,
        "recipe": recipe,
        "vae": model_named(with_shipped(workspace), vae, "vae").id if vae else None,
        "losses": loss_settings(loss, C3LTTraining()),
        "accumulate": accumulate,
        "precision": precision,
        "patience": patience,
        "tensorboard": tensorboard,
    }
    _train("c3lt", dataset, classifier, name or f"{classifier}, C3LT", settings, seed, workspace, json)


def _train(
    kind: str,
    dataset: str,
    classifier: str,
    name: str,
    settings: dict[str, Any],
    seed: int,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Train to the end and say the held-out figures."""
    from services.datasets import dataset_named
    from services.models import model_named

    opened = with_shipped(folder)
    view = run_to_end(
        opened,
        f"train {kind}",
        name,
        settings,
        seed,
        as_json,
        dataset_id=dataset_named(opened, dataset).id,
        classifier_id=model_named(opened, classifier, "classifier").id,
    )
    shown = ("validity", "l1_moved", "l1", "agreement")
    figures = {key: view.result[key] for key in shown if key in view.result}
    text = ", ".join(f"{key} {value:.3f}" for key, value in figures.items())
    result = {"run": view.id, "model": view.result["model_id"], "seconds": view.seconds} | figures
    say(result, as_json, f"Model {view.result['model_id']}: {text}")
