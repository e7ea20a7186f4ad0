"""The command that films Mirror-CFE's way from an image to its mirror image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .models import Dataset, with_shipped
from .output import JsonOption, WorkspaceOption, plain_errors, say, terminal_progress


@plain_errors
def transition(
    dataset: Dataset,
    classifier: Annotated[str, typer.Option(help="Name of the classifier.")],
    generator: Annotated[str, typer.Option(help="Name of the Mirror-CFE decoder trained with it.")],
    out: Annotated[Path, typer.Option(help="Folder for the films.")],
    target: Annotated[
        str | None,
        typer.Option(help="Class that images go to which the classifier gets right; the other one of two without it."),
    ] = None,
    images: Annotated[int, typer.Option(help="How many images, one a patient.")] = 4,
    split: str = "test",
    kind: Annotated[str, typer.Option("--format", help="mp4 (needs cfreader[video]), gif or both.")] = "gif",
    case: Annotated[
        str, typer.Option(help="correct or error: only images that the classifier gets right or wrong; all: both.")
    ] = "all",
    points: Annotated[int, typer.Option(help="Steps of k from 0 to 1.")] = 51,
    seed: Annotated[int, typer.Option(help="Of the order in which images are taken.")] = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Film images on their way to another class (Mirror-CFE); where the classifier is wrong, to the ground truth."""
    from services.transitions import Wish, write_transitions

    wish = Wish(classifier, generator, dataset, target, images, split, kind, case, points, seed)
    films = write_transitions(with_shipped(workspace), wish, out, terminal_progress(json))
    told = [{"image": f.image, "case": f.case, "first": f.first, "files": [str(p) for p in f.files]} for f in films]
    say({"films": told}, json, "\n".join(str(path) for film in films for path in film.files))
