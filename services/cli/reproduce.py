"""Commands that make the papers' tables and figures again with the shipped models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

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


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


@plain_errors
def eigenfind_table1(
    quick: Quick = False,
    cached: Cached = False,
    exhaustive: Annotated[
        int | None, typer.Option(help="Images a generator on which AttFind searches all pairs (4).")
    ] = None,
    models: MeasuredModels = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Share of images explained and search time: EigenFind against AttFind (needs no workspace)."""
    from services.reproduce.table1 import table1

    result = table1(quick, from_store=cached, exhaustive=exhaustive, models=models, progress=terminal_progress(json))
    lines = [
        f"{'generator':<16}{'algorithm':<28}{'rendering':<17}{'explained':<27}{'raw':>8}{'dropped':>9}{'paper':>8}"
    ]
    for row in result["rows"]:
        of = f"{row['explained']}/{row['faithful']}"
        share = f"{_share(row['share'])} ({_share(row['low'])} to {_share(row['high'])})"
        lines.append(
            f"{row['generator']:<16}{row['algorithm']:<28}{row['rendering']:<17}{of:>9} {share:<30}"
            f"{_share(row['raw']):>8}{_share(row['dropped']):>9}{_share(row['paper']):>9}"
        )
    times = {k: v for k, v in result["figures"].items() if "search" in k or "pass_ratio" in k}
    apart = {k: v for k, v in result["figures"].items() if k.startswith(("steady_", "near_", "attfind_lead"))}
    lines += [f"{name:<52}{value:.4g}" for name, value in (times | apart).items()]
    say_figures(result, json, lines=lines)


@plain_errors
def eigenfind_table2(
    quick: Quick = False,
    cached: Cached = False,
    basis: BasisOption = "sefa",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Findings that simulated readers see under three eigenvectors, and the true factors that the pairs move."""
    from services.reproduce.table2 import table2

    result = table2(quick, from_store=cached, basis=cast("Basis", basis), progress=terminal_progress(json))
    lines = [f"{'generator':<16}{'finding':<42}{'pair':<8}{'readers':>9}{'tick':>6}{'truth':>9}{'tick':>6}{'paper':>7}"]
    for row in result["rows"]:
        if row["kind"] == "readers":
            ticks = ["✓" if row[name] else "–" for name in ("tick", "truth_tick")]
            lines.append(
                f"{row['generator']:<16}{row['finding']:<42}{row['direction']:<8}{_share(row['share']):>9}{ticks[0]:>6}"
                f"{_share(row['truth_share']):>9}{ticks[1]:>6}{row['paper_ticks']:>5}/3"
            )
    lines.append(f"{'generator':<16}{'pair':<8}{'main factor':<24}{'SD moved':>9}{'rank corr.':>11}{'leakage':>9}")
    for row in result["rows"]:
        if row["kind"] == "truth" and row["main"]:
            lines.append(
                f"{row['generator']:<16}{row['direction']:<8}{row['factor']:<24}{row['standardised']:>+9.2f}"
                f"{row['correlation']:>11.2f}{row['leakage']:>9.2f}{'  pacemaker' if row['pacemaker'] else ''}"
            )
    lines.append(f"shortcut: {result['settings']['shortcut']}")
    say_figures(result, json, lines=lines)


@plain_errors
def eigenfind_figure1(
    quick: Quick = False,
    cached: Cached = False,
    out: Annotated[Path | None, typer.Option(help="File for the PNG.")] = None,
    basis: BasisOption = "sefa",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Originals over their counterfactuals with the emerging feature marked."""
    from services.reproduce.figure1 import figure1

    result = figure1(quick, from_store=cached, basis=cast("Basis", basis), out=out, progress=terminal_progress(json))
    lines = [
        f"{row['generator']:<16}{row['direction']:<8}p {row['p_source']:.2f} to {row['p_counterfactual']:.2f}"
        for row in result["rows"]
    ]
    lines.append(f"picture: {result.get('picture') or 'not written (give --out)'}")
    say_figures(result, json, lines=lines)
