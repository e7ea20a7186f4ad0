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


def _whole(text: str, what: str) -> list[int]:
    try:
        return sorted({int(part) for part in text.split(",")})
    except ValueError as error:
        raise ValueError(f"--{what} is “{text}”: give whole numbers separated by commas, such as 2,3,5.") from error


@plain_errors
def sample_size(
    target: Annotated[str, typer.Option(help="ac1, kappa, or difference (of prevalences).")] = "ac1",
    width: Annotated[float, typer.Option(help="Wanted width of the interval, upper - lower limit.")] = 0.3,
    prevalence: Annotated[float, typer.Option(help="Share of cases (counterfactuals) with the finding.")] = 0.3,
    original: Annotated[float, typer.Option(help="Share of originals with the finding (for the difference).")] = 0.1,
    sensitivity: Annotated[float, typer.Option(help="Of every reader.")] = 0.85,
    specificity: Annotated[float, typer.Option(help="Of every reader.")] = 0.95,
    shared: Annotated[float, typer.Option(help="Share of judgements that rest on what all readers see.")] = 0.0,
    readers: Annotated[str, typer.Option(help="Numbers of readers, separated by commas.")] = "2,3,5,8",
    cases: Annotated[str, typer.Option(help="Numbers of cases.")] = "10,15,20,30,40,60,80,100,150,200,300",
    simulations: Annotated[int, typer.Option(help="Simulated studies of each size.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """How many readers and cases an interval of a wanted width needs, by simulation (needs no workspace)."""
    from cfcore.study.sample_size import TARGETS, Expected
    from services.sample_size import sample_size as plan

    result = plan(
        target,
        width,
        Expected(prevalence, original, sensitivity, specificity, shared),
        readers=_whole(readers, "readers"),
        cases=_whole(cases, "cases"),
        simulations=simulations,
        seed=seed,
    )
    rows = result["rows"]
    tried = sorted({row["cases"] for row in rows})
    lines = [
        f"{TARGETS[target]}: width of the 95 % interval that 80 % of {simulations} simulated studies do not exceed",  # type: ignore[index]
        f"{'readers':<10}" + "".join(f"{n:>7}" for n in tried) + "  cases",
    ]
    for count in dict.fromkeys(row["readers"] for row in rows):
        own = {row["cases"]: row["width_80"] for row in rows if row["readers"] == count}
        lines.append(f"{count:<10}" + "".join(f"{'–' if own[n] is None else f'{own[n]:.2f}':>7}" for n in tried))
    lines.append(f"for a width of {width:g}:")
    for row in result["smallest"]:
        enough = f"{row['cases']} cases, {row['readings']} readings" if row["cases"] else f"more than {tried[-1]} cases"
        lines.append(f"{row['readers']} readers: {enough}")
    say(result, json, "\n".join(lines))
