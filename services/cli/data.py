"""Commands that bring images in and list what is there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cfcore.images.layouts import Layout
from services.workspace import open_workspace

from .output import JsonOption, WorkspaceOption, plain_errors, say, terminal_progress


@plain_errors
def import_command(
    path: Annotated[Path, typer.Argument(help="Folder, CSV table, DICOM or image file.")],
    name: Annotated[str, typer.Option(help="Name of the data set.")],
    layout: Annotated[Layout, typer.Option(help="auto, folder, csv or dicom.")] = "auto",
    only: Annotated[
        list[str] | None, typer.Option(help="Take the files in folders of this name alone; may be given several times.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split, where none is given.")] = 0,
    patient_pattern: Annotated[str | None, typer.Option(help="Regular expression: patient in the file's path.")] = None,
    resplit: Annotated[
        bool, typer.Option("--resplit", help="Split anew by patient, even if splits are given.")
    ] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Import radiographs. Bad files are listed and skipped, the rest is imported."""
    from services.importing import NothingImported, import_images

    try:
        result = import_images(
            open_workspace(workspace),
            path,
            name,
            layout,
            terminal_progress(json),
            seed=seed,
            patient_pattern=patient_pattern,
            resplit=resplit,
            only=only,
            actor="command line",
        )
    except NothingImported as error:
        typer.echo("\n".join(f"row {row} ({file}): {reason}" for row, reason, file in error.skipped), err=True)
        raise
    skipped = [{"row": row, "reason": reason, "file": file} for row, reason, file in result.skipped]
    lines = [f"Imported {result.imported} images as {name!r}."]
    lines += [f"  skipped row {item['row']} ({item['file']}): {item['reason']}" for item in skipped]
    lines += [f"  note: {problem}" for problem in result.problems]
    if result.waiting:
        lines.append(f"  {result.waiting} images wait for a person's look (text in the pixels?): open the Data page.")
    content = {
        "dataset": result.dataset_id,
        "imported": result.imported,
        "waiting": result.waiting,
        "problems": list(result.problems),
        "skipped": skipped,
    }
    say(content, json, "\n".join(lines))


@plain_errors
def phantom(
    name: Annotated[str, typer.Option(help="Name of the data set.")],
    pathology: Annotated[str, typer.Option(help="cardiomegaly, effusion or atelectasis.")] = "cardiomegaly",
    n: int = 200,
    size: int = 512,
    seed: int = 0,
    shortcut: Annotated[bool, typer.Option(help="Couple pacemaker and age to the pathology, 60 % to 5 %.")] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Make a set of procedural chest radiographs whose true findings are known."""
    from cfcore.images.phantom import SHORTCUT
    from services.importing import import_phantom

    couple = SHORTCUT if shortcut else None
    result = import_phantom(open_workspace(workspace), name, n, size, seed, pathology, couple)
    say(
        {"dataset": result.dataset_id, "imported": result.imported},
        json,
        f"Made {result.imported} phantoms as {name!r}.",
    )


@plain_errors
def brain(
    name: Annotated[str, typer.Option(help="Name of the data set.")],
    n: int = 4000,
    size: int = 64,
    seed: int = 0,
    template: Annotated[
        str | None, typer.Option(help="A NIfTI file, or 'procedural'; by default the templates at hand.")
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Make a set of T1-like brain slices, half of them with a planted lesion whose mask is known."""
    from services.brain import import_brains

    opened = open_workspace(workspace)
    result = import_brains(opened, name, n, size, seed, template, terminal_progress(json), "command line")
    say(
        {"dataset": result.dataset_id, "imported": result.imported},
        json,
        f"Made {result.imported} brain slices as {name!r}.",
    )


@plain_errors
def mnist(
    name: Annotated[str, typer.Option(help="Name of the data set.")],
    path: Annotated[
        Path | None,
        typer.Argument(help="An npz file, or a folder of idx files; by default mnist10k.npz in the data folder."),
    ] = None,
    digits: Annotated[str | None, typer.Option(help='Take these classes only, e.g. "3,8".')] = None,
    labels: Annotated[str | None, typer.Option(help='What classes 0, 1, ... are called, e.g. "coat,shirt".')] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split, where the files give none.")] = 0,
    grey: Annotated[bool, typer.Option("--grey", help="Take images in colour in grey.")] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Import small labelled grey images from arrays: MNIST, Fashion-MNIST (idx), MedMNIST (npz)."""
    from services.arrays import import_arrays

    only = [part.strip() for part in digits.split(",")] if digits else None
    if only and not all(part.isdecimal() for part in only):
        raise ValueError(f'--digits takes whole numbers with commas between them, e.g. "3,8", not {digits!r}')
    result = import_arrays(
        open_workspace(workspace),
        path,
        name,
        only=[int(part) for part in only] if only else None,
        label_names=[part.strip() for part in labels.split(",")] if labels else None,
        seed=seed,
        grey=grey,
        progress=terminal_progress(json),
        actor="command line",
    )
    say(
        {"dataset": result.dataset_id, "imported": result.imported},
        json,
        f"Imported {result.imported} images as {name!r}.",
    )


@plain_errors
def list_command(workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """Data sets, models and runs of the workspace."""
    from services.datasets import list_datasets
    from services.models import list_models
    from services.runs import list_runs

    opened = open_workspace(workspace)
    datasets, models, runs = list_datasets(opened), list_models(opened), list_runs(opened)
    lines = [f"data set  {d.name}: {d.images} images of {d.patients} patients" for d in datasets]
    lines += [f"{m.kind:9} {m.name}" for m in models]
    lines += [f"run {r.id:<5} {r.kind}: {r.name}, {r.state}" for r in runs]
    content = {
        "datasets": [asdict(d) for d in datasets],
        "models": [{"id": m.id, "name": m.name, "kind": m.kind} for m in models],
        "runs": [{"id": r.id, "name": r.name, "kind": r.kind, "state": r.state} for r in runs],
    }
    say(content, json, "\n".join(lines) or "The workspace is empty: import images or run `cfreader demo`.")
