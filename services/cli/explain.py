"""Commands that search a generator's directions and explain images with them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from cfcore.engines.catalogue import Method, method_named
from cfcore.rendering import DEFAULT_RENDERING, RENDERINGS

from .models import Dataset, run_to_end, with_shipped
from .output import JsonOption, WorkspaceOption, plain_errors, say

Classifier = Annotated[str, typer.Option(help="Name of the classifier.")]
Generator = Annotated[str, typer.Option(help="Name of the StylEx generator trained with it.")]
Target = Annotated[str, typer.Option(help="Class to move to.")]
Count = Annotated[int, typer.Option(help="Images to explain.")]
FitSplit = Annotated[str, typer.Option(help="Split on which the directions are ranked.")]
FitCount = Annotated[int, typer.Option(help="Images on which they are ranked.")]
Case = Annotated[
    str,
    typer.Option(
        help="error: only images of the target class that the classifier calls another, led to their ground truth; "
        "correct: only images that it gets right; all: both."
    ),
]
Rendering = Annotated[str, typer.Option(help=f"{', '.join(RENDERINGS)}.")]
Refine = Annotated[
    int, typer.Option(help="Optimiser steps that bring each image's code closer to the image first; 0: none.")
]


@plain_errors
def eigenfind(
    dataset: Dataset,
    classifier: Classifier,
    generator: Generator,
    target: Target,
    n: Count = 30,
    split: str = "test",
    case: Case = "all",
    fit_split: FitSplit = "val",
    fit_n: FitCount = 32,
    scan: Annotated[int, typer.Option(help="Eigenvectors scanned, both signs each.")] = 20,
    k: Annotated[int, typer.Option(help="(eigenvector, sign) pairs kept.")] = 8,
    degree: Annotated[float, typer.Option(help="Distance moved along a unit eigenvector.")] = 10.0,
    basis: Annotated[
        str,
        typer.Option(
            help="sefa (of the style weights), balanced (weighed by the codes' spread, equal visible change) or "
            "style (of the activations)."
        ),
    ] = "sefa",
    race: Annotated[
        float,
        typer.Option(
            help="Drop a pair once it lies so many standard errors below the k-th best; 3 keeps the same pairs in "
            "nearly every search, in less than half the time. 0: measure all."
        ),
    ] = 0.0,
    prerank: Annotated[
        int,
        typer.Option(help="Measure only so many pairs, the best by first-order effects; may lose good ones. 0: all."),
    ] = 0,
    halving: Annotated[int, typer.Option(help="Rounds of dropping the worse half of the pairs, 0 to 4.")] = 0,
    refine: Refine = 0,
    rendering: Rendering = DEFAULT_RENDERING,
    seed: int = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Rank the eigenvectors that change the classifier's mind, and explain images with them."""
    config = {"scan": scan, "k": k, "degree": degree, "basis": basis, "race": race, "prerank": prerank}
    config |= {"halving": halving, "refine": refine}
    settings = _settings("eigenfind", target, _images(split, n, seed, case), fit_split, fit_n, rendering, config)
    _explain("EigenFind", settings, dataset, classifier, generator, workspace, json)


@plain_errors
def attfind(
    dataset: Dataset,
    classifier: Classifier,
    generator: Generator,
    target: Target,
    n: Count = 30,
    split: str = "test",
    case: Case = "all",
    fit_split: FitSplit = "val",
    fit_n: FitCount = 32,
    k: Annotated[int, typer.Option(help="(coordinate, sign) pairs kept.")] = 10,
    degree: Annotated[float, typer.Option(help="Share of the way to a coordinate's lowest or highest value.")] = 1.0,
    selection: Annotated[
        str, typer.Option(help="independent: the first pair that flips alone. subset: pairs added until it flips.")
    ] = "independent",
    verified: Annotated[
        float,
        typer.Option(help="Share of all pairs that is drawn, the best by gradients; 1: all, as in the paper (hours)."),
    ] = 0.04,
    refine: Refine = 0,
    rendering: Rendering = DEFAULT_RENDERING,
    seed: int = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Rank the single style coordinates that change the classifier's mind, and explain images with them."""
    config = {"k": k, "degree": degree, "selection": selection, "verified": verified, "refine": refine}
    settings = _settings("attfind", target, _images(split, n, seed, case), fit_split, fit_n, rendering, config)
    _explain("AttFind", settings, dataset, classifier, generator, workspace, json)


@plain_errors
def explain(
    method: Annotated[str, typer.Argument(help="A method by its key, like medxgan or gradcam.")],
    dataset: Dataset,
    classifier: Classifier,
    target: Target,
    generator: Annotated[
        str | None, typer.Option(help="Name of the generator trained with it, for methods that need one.")
    ] = None,
    n: Count = 30,
    split: str = "test",
    case: Case = "all",
    fit_split: Annotated[
        str | None,
        typer.Option(
            help="Split on which the directions are ranked: val without it. A method that ranks none measures its "
            "effect on images that it explains."
        ),
    ] = None,
    fit_n: FitCount = 32,
    set: Annotated[list[str] | None, typer.Option(help="SETTING=VALUE of the method; may be given several times.")] = (
        None
    ),
    rendering: Rendering = DEFAULT_RENDERING,
    seed: int = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Explain images with any method; without --set at its defaults."""
    chosen = method_named(method)
    settings = _settings(
        method, target, _images(split, n, seed, case), fit_split, fit_n, rendering, _values(chosen, set or [])
    )
    _explain(chosen.title, settings, dataset, classifier, generator, workspace, json)


def _values(method: Method, pairs: list[str]) -> dict[str, Any]:
    """SETTING=VALUE read as YAML reads it: 8, 0.05, true. Raises ValueError for a pair without "="."""
    found = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign:
            raise ValueError(f"--set {pair}: write SETTING=VALUE; {method.title} has {_names(method)}")
        found[key] = yaml.safe_load(value)
    return found


def _names(method: Method) -> str:
    return ", ".join(setting.name for setting in method.settings())


def _images(split: str, n: int, seed: int, case: str) -> dict[str, Any]:
    return {"split": split, "n": n, "seed": seed, "case": case}


def _settings(
    engine: str,
    target: str,
    images: dict[str, Any],
    fit_split: str | None,
    fit_n: int,
    rendering: str,
    config: dict[str, Any],
) -> dict[str, Any]:
    return {
        "engine": engine,
        "target": target,
        "images": images,
        "fit_split": fit_split,
        "fit_n": fit_n,
        "rendering": rendering,
        "config": config,
    }


def _explain(
    method: str,
    settings: dict[str, Any],
    dataset: str,
    classifier: str,
    generator: str | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    from services.datasets import dataset_named
    from services.models import model_named

    kind = method_named(settings["engine"]).generator_kind or ""
    if kind and generator is None:
        raise ValueError(f"{method} needs a generator: name one with --generator")
    opened = with_shipped(folder)
    view = run_to_end(
        opened,
        "explain",
        f"{method}, {settings['target']}",
        settings,
        settings["images"]["seed"],
        as_json,
        dataset_id=dataset_named(opened, dataset).id,
        classifier_id=model_named(opened, classifier, "classifier").id,
        generator_id=None if generator is None else model_named(opened, generator, kind).id,
    )
    rows = [f"{d.name:>6}  {d.mean_change:+7.3f} logits  {d.explained:6.1%} flipped" for d in view.directions if d.kept]
    rows.append(f"explained {view.result['explained']:.1%} of {view.result['n']:.0f} images")
    if (kept := view.result.get("explained_kept")) is not None:
        dropped = view.result["reconstruction_flips"]
        rows.append(f"of those whose reconstruction keeps its class {kept:.1%}; {dropped:.1%} do not")
    if (suggested := view.result.get("suggested_degree")) is not None:
        rows.append(f"90 % of the images of the search flip at degree {suggested:g}: Explore and studies start there")
    directions = [asdict(d) for d in view.directions]
    say({"run": view.id, "directions": directions} | view.result, as_json, "\n".join(rows))
