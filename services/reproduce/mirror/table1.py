"""Table 1 and Figure 3 of seed 004: all methods side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from PIL.Image import Image as Picture

from cfcore.engines.base import Progress
from cfcore.metrics.lpips import LPIPS, load_lpips
from cfcore.metrics.means import t_mean
from services.reproduce.medxgan.drawing import Tile, gray, heat, sheet
from services.reproduce.result import spread

from .array_sets import absent_sets, as_many
from .columns import Column, column_of
from .command import ALL_RIVALS, Block, Wish, carry_out, chosen_entries, with_images
from .curves import curves
from .material import Entry
from .methods import METHODS, available
from .rows import Measured, Real, measured, real_of
from .truth import areas, regions, truth_figures

NAME = "reproduce-mirror-table1"
MODULES = ("table1.py", "rows.py", "tuning.py", "curves.py", "truth.py")


@dataclass(frozen=True)
class Extent:
    """Images a column by source, over all directions; validation images that choose settings (0: none); real images a
    class for FID and ceilings; points of k for the confidence; images shown, one a direction at most."""

    images: Mapping[str, int] = field(default_factory=lambda: {"mnist": 192, "phantom": 60, "ucsd": 60})
    validation: int = 16
    real: int = 100
    points: int = 21
    shown: int = 4
    brief: bool = False


QUICK = Extent({"mnist": 12, "phantom": 4, "ucsd": 4}, validation=0, real=16, points=5, shown=2, brief=True)


def table1(wish: Wish) -> dict[str, Any]:
    """Every method whose networks are here on the same held-out images, towards every target class of a column.

    Figures, "mnist", "phantom", "ucsd" (where there are models and files also "fashion", "blood") in front:
    `mnist_validity`, `mnist_denoised_validity`, `mnist_l1`, `mnist_fail`, ... of Mirror-CFE's first counterfactual,
    with `_k1` at k = 1, and with a rival's name in front those of the rival (`pgd_mnist_validity`).
    `mnist_confidence_error`: mean over k. `mnist_denoised_real`: ceiling. Rows: of kind "method", and "tuning".
    Picture: examples like Fig. 3.

    With `wish.lpips` also `mnist_lpips` of every method.

    Raises:
        ValueError, FileNotFoundError: as `chosen_entries`, `load_lpips` and `carry_out`.
    """
    extent = with_images(QUICK if wish.quick else Extent(), wish)
    extent = extent if wish.tune else replace(extent, validation=0)
    told = {"choices": choices()}
    whole = partial(work, extent, None, lpips=load_lpips(wish.lpips) if wish.lpips else None)
    here = chosen_entries(wish)
    absent = absent_sets([entry.source for entry in here])
    return carry_out(NAME, MODULES, extent, here, whole, wish, sources=ALL_RIVALS, told=told, absent=absent)


def choices() -> dict[str, list[str]]:
    """Among which settings every method's are chosen, the untuned first."""
    return {method.key: [choice.told for choice in method.choices] for method in METHODS}


def work(
    extent: Extent, keys: Sequence[str] | None, entry: Entry, progress: Progress, lpips: LPIPS | None = None
) -> Block:
    """One column; `keys`: of these methods alone."""
    return compare(column_of(entry), entry.source, extent, keys, progress, lpips)


def compare(
    column: Column,
    source: str,
    extent: Extent,
    keys: Sequence[str] | None,
    progress: Progress,
    lpips: LPIPS | None = None,
) -> Block:
    """All methods on one column."""
    n, name = as_many(extent.images, source), column.name
    led = column.led("test", n)
    validation = column.led("val", extent.validation) if extent.validation else None
    real, methods = real_of(column, extent.real, n), available(column, keys)
    found, rows = measured(column, methods, led, validation, real, brief=extent.brief, lpips=lpips, progress=progress)
    truth = regions(column, led)
    figures = _ceilings(name, found, real) | (areas(name, truth) if truth else {})
    for one in found:
        figures |= one.figures(name)
        row = one.row(name)
        if truth:
            inside = truth_figures(f"{one.front}{name}", one.ending, one.outcome, truth)
            figures |= inside
            row |= {w: inside.get(f"{one.front}{name}_{w}{one.ending}") for w in ("inside_changed", "inside_lungs")}
        rows.append(row)
    own = next(one for one in found if one.key == "mirror")
    path = curves(column, led, extent.points, own.choice.config)
    figures |= spread(f"{name}_confidence_error", t_mean(path.error.mean(dim=1).numpy()))
    return Block(figures, rows, [_sheet(column, found, extent.shown)])


def _ceilings(name: str, found: Sequence[Measured], real: Real) -> dict[str, float]:
    comparison = found[0].comparison
    figures = {f"{name}_n": float(comparison.n), f"{name}_real_n": float(len(real.images))}
    return (
        figures
        | spread(f"{name}_denoised_real", comparison.denoised_real)
        | spread(f"{name}_spread_real", comparison.spread_real)
    )


def _sheet(column: Column, found: Sequence[Measured], shown: int) -> Picture:
    """The first image of some directions over what every method makes of it, and the differences below."""
    first = found[0].outcome
    directions = torch.stack([first.source, first.target], dim=1)
    starts = [int((directions == row).all(dim=1).nonzero()[0]) for row in directions.unique(dim=0)]
    names = column.classifier.class_names
    rows = []
    for i in sorted(starts)[:shown]:
        source, target = names[int(first.source[i])], names[int(first.target[i])]
        above, below = (
            [Tile(gray(first.images[i]), (f"{source} to {target}",))],
            [Tile(gray(first.images[i]) * 0 + 255)],
        )
        for one in found:
            outcome = one.outcome
            with torch.no_grad():
                p = column.classifier.logits(outcome.pictures[i : i + 1]).softmax(dim=1)[0, outcome.target[i]]
            at = "" if outcome.k is None else f", k {outcome.k[i]:.2f}"
            lines = (f"p {p:.2f}{at}",) if outcome.found[i] else (f"p {p:.2f}, failed",)
            above.append(Tile(gray(outcome.pictures[i]), lines))
            below.append(Tile(heat((outcome.pictures[i] - outcome.images[i]).mean(dim=0, keepdim=True))))
        rows += [above, below]
    heads = ["source", *(one.title for one in found)]
    return sheet(f"{column.title}: counterfactuals, and what they change (red: brighter)", heads, rows)
