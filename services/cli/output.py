"""What every command has: --workspace, --json, progress on the terminal, errors in one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cfcore.engines.base import Progress

WorkspaceOption = Annotated[
    Path | None, typer.Option("--workspace", envvar="CFREADER_WORKSPACE", help="Folder of the workspace.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def say(content: dict[str, Any], as_json: bool, text: str) -> None:
    """The result of a command: for programs or for people."""
    typer.echo(json.dumps(content, default=str) if as_json else text)


def terminal_progress(as_json: bool) -> Progress:
    """Progress as one line on stderr that writes over itself; nothing where no person watches."""
    if as_json or not sys.stderr.isatty():
        return lambda share, message: None

    def show(share: float, message: str) -> None:
        sys.stderr.write(f"\r\033[K{share:6.1%}  {message}")
        sys.stderr.flush()

    return show


def plain_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Expected errors become one line and exit status 1; anything else keeps its traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (ValueError, FileNotFoundError, RuntimeError) as error:
            typer.echo(f"cfreader: {error}", err=True)
            raise typer.Exit(1) from error

    return run
