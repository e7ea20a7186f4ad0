"""Commands that measure the tool itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import JsonOption, WorkspaceOption, plain_errors, say, terminal_progress


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


@plain_errors
def bench_stylex(
    quick: Annotated[bool, typer.Option("--quick", help="Few images; ends within 45 s.")] = False,
    cached: Annotated[
        bool, typer.Option("--cached", help="Print the stored figures and whether they are stale.")
    ] = False,
    grid: Annotated[
        Path | None, typer.Option(help="Folder for pictures: sources, reconstructions, refined, random samples.")
    ] = None,
    size: Annotated[int, typer.Option(help="Side in pixels of the generators to measure.")] = 64,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Held-out reconstruction of the shipped StylEx generators, and what survives of the phantom's truth in it."""
    from services.stylex_bench import bench_stylex as bench

    result = bench(quick, from_store=cached, grid=grid, size=size)
    lines = [f"{name:<36}{value:.4g}" for name, value in result["figures"].items()]
    lines += [f"left out: {reason}" for reason in result["settings"]["left_out"]]
    say(result, json, "\n".join(lines + (["(stale)"] if result.get("stale") else [])))


@plain_errors
def bench_attfind(
    quick: Annotated[bool, typer.Option("--quick", help="One image, every fourth coordinate.")] = False,
    cached: Annotated[
        bool, typer.Option("--cached", help="Print the stored figures and whether they are stale.")
    ] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """AttFind pre-ranked by gradients against the exhaustive search: what it costs, what it loses."""
    from services.attfind_bench import bench_attfind as bench

    result = bench(quick, from_store=cached, progress=terminal_progress(json))
    extrapolated = result["settings"]["extrapolated"]
    lines = [
        f"{name:<44}{value:.4g}{'  (EXTRAPOLATED)' if name == extrapolated else ''}"
        for name, value in result["figures"].items()
    ]
    say(result, json, "\n".join(lines + (["(stale)"] if result.get("stale") else [])))


@plain_errors
def bench_transfer(
    quick: Annotated[bool, typer.Option("--quick", help="Few phantoms, no radiographs.")] = False,
    cached: Annotated[
        bool, typer.Option("--cached", help="Print the stored figures and whether they are stale.")
    ] = False,
    sheets: Annotated[Path | None, typer.Option(help="Folder for contact sheets of all three renderings.")] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Plain rendering, additive and warped detail transfer: flips, identity, ghosts, truth on the phantom."""
    from services.transfer_bench import bench_transfer as bench

    result = bench(quick, from_store=cached, sheets=sheets)
    lines = [f"{name:<36}{value:.4g}" for name, value in result["figures"].items()]
    lines += [f"left out: {reason}" for reason in result["settings"]["left_out"]]
    say(result, json, "\n".join(lines + (["(stale)"] if result.get("stale") else [])))
