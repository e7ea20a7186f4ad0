"""Commands that make the tables and figures of Mirror-CFE (seed 004) again."""

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
Images = Annotated[int | None, typer.Option(help="Images a column (MNIST 192, radiographs 60); not stored.")]
Models = Annotated[
    Path | None, typer.Option(help="Folder of more models, like models/ of a workspace; not stored.")
]  # fmt: skip
Tune = Annotated[
    bool, typer.Option("--tune/--no-tune", help="Choose every method's settings out of three on validation images.")
]  # fmt: skip

Lpips = Annotated[
    Path | None, typer.Option(help="Folder with the published weights of LPIPS: measure it, too; not stored.")
]  # fmt: skip


def _run(experiment: str, json: bool, **wish: Any) -> dict[str, Any]:
    from services.reproduce.mirror.command import Wish
    from services.reproduce.mirror.everything import EXPERIMENTS, mirror

    cached = wish.pop("cached", False)
    run: Callable[[Wish], dict[str, Any]] = EXPERIMENTS.get(experiment, mirror)
    return run(Wish(from_store=cached, progress=terminal_progress(json), **wish))


def _tell(result: Mapping[str, Any], json: bool, head: str = "", lines: Sequence[str] = ()) -> None:
    """The rows of the table where there is one, else every figure; then what is absent, and where the picture lies."""
    told = [head, *lines] if lines else figure_lines(result["figures"])
    told += [f"absent: {reason}" for reason in result["settings"].get("absent", ())]
    if result.get("picture"):
        told.append(f"picture: {result['picture']}")
    say_figures(dict(result), json, lines=told)


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


HEAD = (
    f"{'column':<10}{'method':<18}{'n':>5}{'L1':>8}{'feature':>9}{'FID':>9}{'D.Val.':>8}{'Val.':>8}{'fail':>8}"
    f"{'conf.':>8}{'s':>8}"
)


def _method_lines(result: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['column']:<10}{row['title']:<18}{row['n']:>5}{_number(row['l1']):>8}"
        f"{_number(row['feature_distance']):>9}{_number(row['fid'], 2):>9}{_number(row['denoised_validity']):>8}"
        f"{_number(row['validity']):>8}{_number(row['fail']):>8}{_number(row['confidence_error']):>8}"
        f"{_number(row['seconds']):>8}"
        for row in result["rows"]
        if row["kind"] == "method"
    ]


def _told_of(result: Mapping[str, Any], ending: str, what: str) -> list[str]:
    """A line a column for the figures of that ending."""
    figures = result["figures"].items()
    return [f"{name.removesuffix(ending)}: {what}: {value:.3f}" for name, value in figures if name.endswith(ending)]


@plain_errors
def mirror_table1(
    quick: Quick = False,
    cached: Cached = False,
    images: Images = None,
    tune: Tune = True,
    models: Models = None,
    lpips: Lpips = None,
    out: Out = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Mirror-CFE (first counterfactual, and k = 1) beside PGD, Wachter, CEM, REVISE, ExplainGAN and C3LT."""
    wish = {"images": images, "tune": tune, "models": models, "lpips": lpips, "out": out}
    result = _run("table1", json, quick=quick, cached=cached, **wish)
    lines = _method_lines(result)
    lines += _told_of(result, "_denoised_real", "real images of the target classes keep theirs after the blur")
    lines += _told_of(result, "_confidence_error", "|intended - obtained confidence|, mean over k")
    lines += [line for ending in ("", "_k1") for line in _told_of(result, f"_lpips{ending}", f"LPIPS{ending}")]
    _tell(result, json, HEAD, lines)


@plain_errors
def mirror_confidence(
    quick: Quick = False,
    cached: Cached = False,
    images: Images = None,
    models: Models = None,
    out: Out = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """The confidence obtained against that intended, along the way and where it is asked for."""
    result = _run("confidence", json, quick=quick, cached=cached, images=images, models=models, out=out)
    _tell(result, json)


@plain_errors
def mirror_table2(
    quick: Quick = False,
    cached: Cached = False,
    images: Images = None,
    models: Models = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """The mirror image of two classes against that of all classes, on ten digits."""
    result = _run("table2", json, quick=quick, cached=cached, images=images, models=models)
    _tell(result, json, HEAD, _method_lines(result))


@plain_errors
def mirror_table3(
    quick: Quick = False,
    cached: Cached = False,
    images: Images = None,
    tune: Tune = True,
    models: Models = None,
    out: Out = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """C3LT against Mirror-CFE on UCSD pneumonia."""
    result = _run("table3", json, quick=quick, cached=cached, images=images, tune=tune, models=models, out=out)
    _tell(result, json, HEAD, _method_lines(result))


@plain_errors
def mirror_table4(
    quick: Quick = False,
    cached: Cached = False,
    images: Images = None,
    models: Models = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """How close the pictures come to the features and confidences that they are drawn for."""
    result = _run("table4", json, quick=quick, cached=cached, images=images, models=models)
    _tell(result, json)


@plain_errors
def mirror_table5(
    quick: Quick = False,
    cached: Cached = False,
    images: Images = None,
    models: Models = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Skips as they are, edited, and edited under the prior mask, on UCSD pneumonia."""
    result = _run("table5", json, quick=quick, cached=cached, images=images, models=models)
    _tell(result, json, HEAD, _method_lines(result))


@plain_errors
def mirror_table6(
    quick: Quick = False,
    cached: Cached = False,
    images: Images = None,
    models: Models = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """The bound of the triangulation loss, and training without it."""
    result = _run("table6", json, quick=quick, cached=cached, images=images, models=models)
    _tell(result, json, HEAD, _method_lines(result))


@plain_errors
def mirror_figure6(
    quick: Quick = False,
    cached: Cached = False,
    images: Images = None,
    models: Models = None,
    out: Out = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Mirror points among the features of real images."""
    result = _run("figure6", json, quick=quick, cached=cached, images=images, models=models, out=out)
    _tell(result, json)


@plain_errors
def mirror_rivals(
    quick: Quick = False,
    cached: Cached = False,
    images: Images = None,
    models: Models = None,
    out: Out = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """What the rivals' own papers show, on digits: PGD, Wachter, CEM, REVISE, C3LT and ExplainGAN."""
    result = _run("rivals", json, quick=quick, cached=cached, images=images, models=models, out=out)
    _tell(result, json)


@plain_errors
def mirror_all(
    quick: Quick = False,
    cached: Cached = False,
    images: Images = None,
    models: Models = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """All experiments of Mirror-CFE whose networks are here; a full run stores each as its own command does."""
    _tell(_run("all", json, quick=quick, cached=cached, images=images, models=models), json)
