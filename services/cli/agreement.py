"""Commands of the statistics that need no workspace: agreement of any table, and how large a study has to be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .output import JsonOption, WorkspaceOption, plain_errors, say


@plain_errors
def agreement(
    table: Annotated[
        Path, typer.Argument(help="CSV: first column the unit, then one column a reader; blank = missing.")
    ],
    level: Annotated[str, typer.Option(help="nominal, ordinal, interval or ratio.")] = "nominal",
    categories: Annotated[
        str | None, typer.Option(help="Every answer that readers could give, in order, separated by commas.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Confidence level of the intervals.")] = 0.95,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples, where no closed form is published.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Every agreement coefficient of a table of readings, with intervals (needs no workspace)."""
    from services.agreement import agreement_of_table

    names = [name.strip() for name in categories.split(",")] if categories is not None else None
    result = agreement_of_table(table, level, categories=names, resamples=resamples, seed=seed, confidence=confidence)
    say(result, json, "\n".join(_lines(result)))


def _lines(result: dict[str, Any]) -> list[str]:
    s = result["settings"]
    interval = f"{100 * s['confidence']:g} % interval"
    lines = [
        f"{s['units']} units ({s['units_with_two_readings']} with two readings or more), {s['readers']} readers, "
        f"{s['missing']} missing; level {s['level']}"
        + ("" if s["weights"] == "identity" else f", {s['weights']} weights wherever a row says so"),
        f"{'':<20}{'':<42}{'value':>8}  {interval}",
    ]
    for row in result["rows"]:
        value = "–" if row["value"] is None else f"{row['value']:.4f}"
        bounds = "" if row["low"] is None else f"{row['low']:.4f} to {row['high']:.4f}"
        told = "; ".join(filter(None, [row["interval"], row["note"]]))
        lines.append(f"{row['name']:<20}{row['coefficient']:<42}{value:>8}  {bounds:<20} {told}".rstrip())
    return lines
