"""What every command has: --workspace, --json, progress on the terminal, errors in one line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
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


SOON, LEAST_SHARE = 10, 0.01  # seconds and share of the work before an estimate means anything
CLEAR = "\r\033[K"  # to the start of the line, and what stands there goes


def say(content: dict[str, Any], as_json: bool, text: str) -> None:
    """The result of a command: for programs or for people."""
    _clear_progress()
    typer.echo(json.dumps(content, default=str) if as_json else text)


def terminal_progress(as_json: bool) -> Progress:
    """Progress as one line on stderr that writes over itself, with the time that is left; nothing where no person
    watches."""
    if as_json or not sys.stderr.isatty():
        return lambda share, message: None
    started = time.monotonic()

    def show(share: float, message: str) -> None:
        sys.stderr.write(f"{CLEAR}{share:6.1%}  {message}{time_left(time.monotonic() - started, share)}")
        sys.stderr.flush()

    return show


def time_left(seconds: float, share: float) -> str:
    """What the rest will take if it goes on as fast as the share that took `seconds`; "" while that says nothing."""
    if seconds < SOON or not LEAST_SHARE <= share < 1:
        return ""
    left = seconds * (1 - share) / share
    return f"; about {left / 60:.0f} min left" if left >= 90 else f"; about {left:.0f} s left"


def _clear_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write(CLEAR)
        sys.stderr.flush()


def plain_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Expected errors become one line and exit status 1; anything else keeps its traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (ValueError, FileNotFoundError, RuntimeError) as error:
            _clear_progress()
            typer.echo(f"cfreader: {error}", err=True)
            raise typer.Exit(1) from error

    return run


Quick = Annotated[bool, typer.Option("--quick", help="A small part, not stored; ends within 45 s.")]
Cached = Annotated[bool, typer.Option("--cached", help="Print the stored figures and whether they are stale.")]
BasisOption = Annotated[
    str, typer.Option(help="sefa, as the authors; balanced: of equal visible change; style: of the activations.")
]
MeasuredModels = Annotated[
    Path | None,
    typer.Option(
        "--models", help="Folder of models, like models/ of a workspace, in the place of weights/; not stored."
    ),
]


def say_figures(result: dict[str, Any], as_json: bool, *, lines: Sequence[str] | None = None) -> None:
    """Print a measurement: the object, or `lines` (by default a line a figure), what was left out, and "(stale)"."""
    told = figure_lines(result["figures"]) if lines is None else list(lines)
    told += [f"left out: {reason}" for reason in result["settings"].get("left_out", ())]
    say(result, as_json, "\n".join(told + (["(stale)"] if result.get("stale") else [])))


def figure_lines(figures: Mapping[str, float]) -> list[str]:
    """A line a figure, the numbers below one another."""
    width = max(map(len, figures), default=0) + 4
    return [f"{name:<{width}}{value:.4g}" for name, value in figures.items()]
