"""Commands that measure the tool itself."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import JsonOption, WorkspaceOption, plain_errors, say


@plain_errors
def bench_phantom(
    quick: Annotated[bool, typer.Option("--quick", help="Few phantoms; ends within 45 s.")] = False,
    cached: Annotated[
        bool, typer.Option("--cached", help="Print the stored figures and whether they are stale.")
    ] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Speed and difficulty of the phantom, and how well its factors are measured back (needs no workspace)."""
    from services.phantom_bench import bench_phantom as bench

    result = bench(quick, from_store=cached)
    lines = [f"{name:<28}{value:.4g}" for name, value in result["figures"].items()]
    say(result, json, "\n".join(lines + (["(stale)"] if result.get("stale") else [])))
