"""The command that trains a Mirror-CFE decoder."""

from __future__ import annotations

from typing import Annotated

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


@plain_errors
def train_mirror(
    dataset: Dataset,
    classifier: Annotated[str, typer.Option(help="Name of the classifier that is explained.")],
    name: Annotated[str | None, typer.Option(help="Name of the model.")] = None,
    iterations: int = 4000,
    batch: int = 32,
    seconds: Seconds = None,
    recipe: Annotated[str, typer.Option(help='"quick" (for a CPU) or "paper" (its weights and rate).')] = "quick",
    variant: Annotated[
        str, typer.Option(help='"full", or of the ablation "spe" (no prior mask) or "skip" (skips as they are).')
    ] = "full",
    points: Annotated[
        str, typer.Option(help='Way to the mirror image: "pairwise", "closed form" or "L-BFGS" (all classes).')
    ] = "pairwise",
    pair: Annotated[
        list[str] | None,
        typer.Option(help="Two classes that are led to each other, like 3:8; may be given several times. All without."),
    ] = None,
    loss: Losses = None,
    start_from: Annotated[str | None, typer.Option(help="Name of a decoder to go on from.")] = None,
    accumulate: Accumulate = 1,
    precision: Precision = "32-true",
    patience: Patience = None,
    tensorboard: TensorBoard = False,
    seed: int = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Train a Mirror-CFE decoder against a frozen classifier; report validity and the confidence obtained."""
    from cfcore.generators.mirror.recipes import PAPER
    from services.datasets import dataset_named
    from services.models import model_named

    opened = with_shipped(workspace)
    settings = {
        "iterations": iterations,
        "batch": batch,
        "seconds": seconds,
        "recipe": recipe,
        "variant": variant,
        "points": points,
        "pairs": [text.split(":") for text in pair or ()],
        "losses": loss_settings(loss, PAPER),
        "start_from": model_named(opened, start_from, "mirror").id if start_from else None,
        "accumulate": accumulate,
        "precision": precision,
        "patience": patience,
        "tensorboard": tensorboard,
    }
    view = run_to_end(
        opened,
        "train mirror",
        name or f"{classifier}, Mirror-CFE",
        settings,
        seed,
        json,
        dataset_id=dataset_named(opened, dataset).id,
        classifier_id=model_named(opened, classifier, "classifier").id,
    )
    shown = ("l1", "agreement", "first_validity", "validity", "confidence_error", "l1_first", "l1_mirror")
    found = {key: view.result[key] for key in shown}
    text = (
        f"Model {view.result['model_id']}: {found['validity']:.1%} are the target at k = 1, "
        f"|intended - obtained| {found['confidence_error']:.3f}, held-out L1 {found['l1']:.4f}"
    )
    say({"run": view.id, "model": view.result["model_id"], "seconds": view.seconds} | found, json, text)
