"""The command that brings in a researcher's own classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.workspace import open_workspace

from .output import JsonOption, WorkspaceOption, plain_errors, say


@plain_errors
def add_classifier(
    file: Annotated[Path, typer.Argument(help="Safetensors, TorchScript or torch.export file.")],
    name: Annotated[str, typer.Option(help="Name of the model.")],
    spec: Annotated[Path, typer.Option(help="YAML with class names and input range (docs/classifiers.md).")],
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Check a classifier on a few images and add it. A program file is code: it runs here, in a sandbox."""
    from services.own_classifier import add_classifier as add

    text = spec.read_text(encoding="utf-8")
    # Whoever has a shell on this machine can run programs anyway.
    model_id = add(open_workspace(workspace), name, file, text, actor_may_run_code=True)
    say({"model": model_id, "name": name.strip()}, json, f"Model {model_id}: {name.strip()}")
