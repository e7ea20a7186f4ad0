"""The command that times EigenFind."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import JsonOption, WorkspaceOption, plain_errors, say


@plain_errors
def bench_eigenfind(
    quick: Annotated[bool, typer.Option("--quick", help="Four images, five eigenvectors; ends within 45 s.")] = False,
    cached: Annotated[
        bool, typer.Option("--cached", help="Print the stored figures and whether they are stale.")
    ] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Search time against Algorithm 1 to the letter, the authors' way and the bare passes (needs no workspace)."""
    from services.eigenfind_bench import bench_eigenfind as bench

    result = bench(quick, from_store=cached)
    lines = [f"{name:<36}{value:.4g}" for name, value in result["figures"].items()]
    say(result, json, "\n".join(lines + (["(stale)"] if result.get("stale") else [])))
