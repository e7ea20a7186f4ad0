"""Commands that measure the tool itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from .output import (
    BasisOption,
    Cached,
    JsonOption,
    MeasuredModels,
    Quick,
    WorkspaceOption,
    plain_errors,
    say_figures,
    terminal_progress,
)

if TYPE_CHECKING:
    from cfcore.engines.eigenfind import Basis


def say_marked(result: dict[str, Any], json: bool) -> None:
    """Figures, those that were not measured but calculated marked so."""
    marked = result["settings"]["extrapolated"]
    names = [marked] if isinstance(marked, str) else marked
    lines = [
        f"{name:<44}{value:.4g}{'  (EXTRAPOLATED)' if name in names else ''}"
        for name, value in result["figures"].items()
    ]
    say_figures(result, json, lines=lines)


@plain_errors
def bench_phantom(
    quick: Quick = False, cached: Cached = False, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """Speed and difficulty of the phantom, and how well its factors are measured back (needs no workspace)."""
    from services.phantom_bench import bench_phantom as bench

    say_figures(bench(quick, from_store=cached), json)


@plain_errors
def bench_eigenfind(
    quick: Quick = False, cached: Cached = False, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """Search time against Algorithm 1 to the letter, the authors' way and the bare passes (needs no workspace)."""
    from services.eigenfind_bench import bench_eigenfind as bench

    say_figures(bench(quick, from_store=cached), json)


@plain_errors
def bench_stylex(
    quick: Quick = False,
    cached: Cached = False,
    grid: Annotated[
        Path | None, typer.Option(help="Folder for pictures: sources, reconstructions, refined, random samples.")
    ] = None,
    size: Annotated[int, typer.Option(help="Side in pixels of the generators to measure.")] = 64,
    models: MeasuredModels = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Held-out reconstruction of the shipped StylEx generators, and what survives of the phantom's truth in it."""
    from services.stylex_bench import bench_stylex as bench

    say_figures(bench(quick, from_store=cached, grid=grid, size=size, models=models), json)


@plain_errors
def bench_attfind(
    quick: Quick = False, cached: Cached = False, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """AttFind pre-ranked by gradients against the exhaustive search: what it costs, what it loses."""
    from services.attfind_bench import bench_attfind as bench

    say_marked(bench(quick, from_store=cached, progress=terminal_progress(json)), json)


@plain_errors
def bench_inversion(
    quick: Quick = False, cached: Cached = False, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """How long medXGAN's inversion takes with five restarts, and what they are worth (needs no workspace)."""
    from services.inversion_bench import bench_inversion as bench

    say_marked(bench(quick, from_store=cached, progress=terminal_progress(json)), json)


@plain_errors
def bench_refinement(
    quick: Quick = False, cached: Cached = False, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """Codes refined per image against the encoder's: reconstruction, class kept, flips (needs no workspace)."""
    from services.refinement_bench import bench_refinement as bench

    say_figures(bench(quick, from_store=cached, progress=terminal_progress(json)), json)


@plain_errors
def bench_transfer(
    quick: Quick = False,
    cached: Cached = False,
    sheets: Annotated[Path | None, typer.Option(help="Folder for contact sheets of all three renderings.")] = None,
    basis: BasisOption = "sefa",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Plain rendering, additive and warped detail transfer: flips, identity, ghosts, truth on the phantom."""
    from services.transfer_bench import bench_transfer as bench

    say_figures(bench(quick, from_store=cached, sheets=sheets, basis=cast("Basis", basis)), json)


@plain_errors
def bench_reading(
    quick: Quick = False, cached: Cached = False, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """Key press to next case on the screen, in a real browser, with 1 and with 10 readers (needs Playwright)."""
    from services.reading_bench import bench_reading as bench

    say_figures(bench(quick, from_store=cached), json)


@plain_errors
def bench_agreement(
    quick: Quick = False, cached: Cached = False, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """Intervals of a large study by vectorised bootstrap, against a plain loop over resamples (needs no workspace)."""
    from services.agreement_bench import bench_agreement as bench

    say_marked(bench(quick, from_store=cached), json)


@plain_errors
def bench_coverage(
    quick: Quick = False,
    cached: Cached = False,
    page: Annotated[Path | None, typer.Option(help="Markdown file to write the tables to.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Folder for the drawing (SVG).")] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """How often the intervals of simulated studies hold the truth (needs no workspace)."""
    from services.coverage_bench import bench_coverage as bench
    from services.coverage_page import write_page, write_picture

    result = bench(quick, from_store=cached, progress=terminal_progress(json))
    if page is not None:
        write_page(result, page)
    if picture is not None:
        write_picture(result, picture)
    lines = [f"{'scenario':<22}{'statistic':<18}{'interval':<26}{'covered':>8}{'width':>8}{'without':>9}"]
    for row in result["rows"]:
        covered, width = ("–" if row[name] is None else f"{row[name]:.3f}" for name in ("covered", "width"))
        lines.append(
            f"{row['scenario']:<22}{row['statistic']:<18}{row['interval']:<26}{covered:>8}{width:>8}{row['without']:>9.2f}"
        )
    say_figures(result, json, lines=lines)
