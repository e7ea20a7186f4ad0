"""The command that draws training data."""

from __future__ import annotations

from typing import Annotated

import typer

from .models import with_shipped
from .output import (
    Cached,
    JsonOption,
    Quick,
    WorkspaceOption,
    figure_lines,
    plain_errors,
    say,
    say_figures,
    terminal_progress,
)


@plain_errors
def augment(
    generator: Annotated[str, typer.Argument(help="Name of a medXGAN, StylEx or VAE generator.")],
    dataset: Annotated[
        str | None, typer.Option(help="Imported data set: train on it with and without drawn images, and compare.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Keep the drawn images as a data set of this name.")] = None,
    n: Annotated[int, typer.Option(help="Images to draw.")] = 1000,
    near_boundary: Annotated[
        bool, typer.Option("--near-boundary", help="Only images with 0.4 < p < 0.6; else half of each class.")
    ] = False,
    seeds: Annotated[int, typer.Option(help="Trainings of each kind.")] = 5,
    architecture: Annotated[
        str | None, typer.Option(help='"densenet121", "vgg16" or "small-cnn"; the classifier\'s own without it.')
    ] = None,
    width: Annotated[float | None, typer.Option(help="Factor on the channels of a VGG-16 or small CNN.")] = None,
    iterations: int = 700,
    batch: int = 32,
    seed: int = 0,
    quick: Quick = False,
    cached: Cached = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Draw images with a generator: as a data set (--name), or to train its classifier again (--dataset)."""
    from services.augment import Request, compare, write_samples

    if (dataset is None) == (name is None):
        raise ValueError("say either --name, to keep the images, or --dataset, to train with them")
    opened = with_shipped(workspace)
    request = Request(
        generator, n, near_boundary, seeds, architecture, width, iterations, batch, seed=seed, quick=quick
    )
    if name is not None:
        made = write_samples(opened, request, name, terminal_progress(json))
        say({"dataset": made.dataset_id, "images": made.imported}, json, f"Drew {made.imported} images as {name!r}.")
        return
    assert dataset is not None
    result = compare(opened, request, dataset, from_store=cached, progress=terminal_progress(json))
    head = f"{'seed':>6}{'AUC, real':>12}{'with drawn':>12}{'difference':>12}{'drawn for it':>14}"
    lines = [
        f"{row['seed']:>6}{row['auc_real']:>12.3f}{row['auc_augmented']:>12.3f}{row['auc_difference']:>+12.3f}"
        f"{row['tried']:>14}"
        for row in result["rows"]
    ]
    say_figures(result, json, lines=[head, *lines, *figure_lines(result["figures"])])
