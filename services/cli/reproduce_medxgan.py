"""Commands that make the tables and figures of medXGAN (seed 001) again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .output import (
    Cached,
    JsonOption,
    Quick,
    WorkspaceOption,
    figure_lines,
    plain_errors,
    say_figures,
    terminal_progress,
)

Out = Annotated[Path | None, typer.Option(help="File for the PNG.")]


def _run(
    experiment: str, quick: bool, cached: bool, out: Path | None, json: bool, **more: int | None
) -> dict[str, Any]:
    from services.reproduce.medxgan.command import Wish
    from services.reproduce.medxgan.everything import EXPERIMENTS, medxgan

    run: Callable[..., dict[str, Any]] = EXPERIMENTS.get(experiment, medxgan)
    return run(Wish(quick, cached, out, terminal_progress(json)), **more)


def _tell(result: Mapping[str, Any], json: bool, head: str = "", lines: Sequence[str] = ()) -> None:
    """The rows of the table where there is one, then every figure, then where the picture lies."""
    told = [head, *lines] if lines else []
    told += figure_lines(result["figures"])
    if result.get("picture"):
        told.append(f"picture: {result['picture']}")
    say_figures(dict(result), json, lines=told)


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


@plain_errors
def medxgan_table1(
    quick: Quick = False, cached: Cached = False, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """Accuracy and AUC of the classifier on what medXGAN draws and on real images (needs no workspace)."""
    result = _run("table1", quick, cached, None, json)
    head = f"{'column':<10}{'data':<12}{'n':>6}{'accuracy':>10}{'paper':>8}{'AUC':>8}{'paper':>8}"
    lines = [
        f"{row['column']:<10}{row['data']:<12}{row['n']:>6}{_number(row['accuracy']):>10}"
        f"{_number(row['paper_accuracy']):>8}{_number(row['auc']):>8}{_number(row['paper_auc']):>8}"
        for row in result["rows"]
    ]
    _tell(result, json, head, lines)


@plain_errors
def medxgan_table2(
    quick: Quick = False,
    cached: Cached = False,
    out: Out = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """How far p falls where the pixels that a map names are replaced: medXGAN, Grad-CAM, IG; six fills."""
    result = _run("table2", quick, cached, out, json)
    head = f"{'column':<10}{'map':<10}{'fill':<9}{'pixels':>7}{'drop':>8}{'low':>8}{'high':>8}{'paper':>8}"
    lines = [
        f"{row['column']:<10}{row['map']:<10}{row['fill']:<9}{row['share']:>7.0%}{_number(row['drop']):>8}"
        f"{_number(row['low']):>8}{_number(row['high']):>8}{_number(row['paper'], 2):>8}"
        for row in result["rows"]
        if row["share"] in (0.05, 0.10, 0.20)
    ]
    _tell(result, json, head, lines)


@plain_errors
def medxgan_lig(
    quick: Quick = False,
    cached: Cached = False,
    out: Out = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """LIG beside IG: share of the pixels, deletion and insertion AUC, overlap with the truly changed region."""
    result = _run("lig", quick, cached, out, json)
    head = f"{'column':<10}{'map':<10}{'90 % in':>9}{'deletion':>10}{'insertion':>11}{'IoU':>7}"
    lines = [
        f"{row['column']:<10}{row['map']:<10}{_number(row['mass_share']):>9}{_number(row['deletion_auc']):>10}"
        f"{_number(row['insertion_auc']):>11}{_number(row.get('iou')):>7}"
        for row in result["rows"]
    ]
    _tell(result, json, head, lines)


@plain_errors
def medxgan_table3(
    quick: Quick = False,
    cached: Cached = False,
    out: Out = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of every start (10,000); stored only so.")] = None,
    images: Annotated[int | None, typer.Option(min=1, help="Images a generator (4); stored only so.")] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Cosine and SSIM between independent searches of one image, and what the plateau rule saves and costs."""
    result = _run("table3", quick, cached, out, json, steps=steps, images=images)
    head = f"{'column':<10}{'image':>6}{'cosine':>8}{'paper':>8}{'SSIM':>8}{'paper':>8}"
    lines = [
        f"{row['column']:<10}{row['image']:>6}{_number(row['restart_cosine']):>8}{_number(row['paper_cosine']):>8}"
        f"{_number(row['restart_ssim']):>8}{_number(row['paper_ssim']):>8}"
        for row in result["rows"]
    ]
    _tell(result, json, head, lines)


@plain_errors
def medxgan_monotone(
    quick: Quick = False,
    cached: Cached = False,
    out: Out = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Share of traversals to the negative realisation along which p falls all the way."""
    _tell(_run("monotone", quick, cached, out, json), json)


@plain_errors
def medxgan_failures(
    quick: Quick = False,
    cached: Cached = False,
    out: Out = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """How close the inversions of held-out images come, and the worst of them."""
    result = _run("failures", quick, cached, out, json)
    head = f"{'column':<10}{'image':>6}{'L1':>8}{'SSIM':>8}{'p':>8}{'p drawn':>9}"
    lines = [
        f"{row['column']:<10}{row['image']:>6}{_number(row['l1']):>8}{_number(row['ssim']):>8}"
        f"{_number(row['p_source']):>8}{_number(row['p_reconstruction']):>9}"
        for row in result["rows"]
    ]
    _tell(result, json, head, lines)


@plain_errors
def medxgan_all(
    quick: Quick = False, cached: Cached = False, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """All experiments of medXGAN; a full run stores each as its own command does."""
    _tell(_run("all", quick, cached, None, json), json)
