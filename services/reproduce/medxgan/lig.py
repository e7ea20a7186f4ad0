"""LIG beside IG (seed 001, section 4.2): how few pixels, how telling, and where does the truth lie?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL.Image import Image as Picture
from torch import Tensor

from cfcore.attribution.curves import deletion, insertion, mass_share, share_above, top_iou
from cfcore.attribution.score import Attribution
from cfcore.engines.base import Progress
from cfcore.metrics.means import t_mean
from services.reproduce.result import Row, spread

from .command import Block, Wish, carry_out
from .drawing import Tile, gray, heat, sheet
from .maps import TITLES, Explained, explained, latent_maps
from .material import Column, positives

NAME = "reproduce-medxgan-lig"
PAPER_RATIO = 0.21  # +- 0.09, brain MRI
THRESHOLD = 0.01  # of the map's largest |a|; the paper states none
MASS = 0.9


@dataclass(frozen=True)
class Extent:
    """Held-out images from which the positive ones are taken, these at most, those shown; steps of both LIGs."""

    pool: int = 400
    images: int = 60
    shown: int = 4
    steps: int = 64


QUICK = Extent(pool=32, images=4, shown=2, steps=16)


def lig_table(wish: Wish) -> dict[str, Any]:
    """LIG as published, LIG-path, IG, Grad-CAM and the difference map of positive held-out images.

    Figures, the phantom's bare, the others with `_ucsd`, `_mri`, t intervals over images: lig_pixel_share (share of
    pixels with |a| above 1 % of the map's largest, LIG over IG, mean of the images' ratios; _sd over images) and
    lig_path_pixel_share; mass_share_* (fewest pixels that hold 90 % of the sum of |a|); deletion_auc_*,
    insertion_auc_*; gap_lig, gap_lig_path (median of |sum of the map - change of the logit| / |change|); iou_* (with
    the truly changed region, as many top pixels by |a| as it has; only where the truth is known), iou_lead_* (LIG's
    less the map's, of the same image), iou_chance (expected of random pixels), iou_n. Rows: one a map. Picture: the
    maps like Fig. 9.

    Raises:
        ValueError, FileNotFoundError: as `carry_out` and `positives`.
    """
    extent = QUICK if wish.quick else Extent()
    return carry_out(NAME, "lig.py", extent, partial(work, extent), wish)


def work(extent: Extent, column: Column, progress: Progress) -> Block:
    """One column."""
    chosen = positives(column, extent.pool, extent.images)
    found = explained(column, chosen, progress)
    progress(0.6, f"{column.name}: LIG")
    latent = latent_maps(column, found, extent.steps)
    found.maps.update({key: one.values for key, one in latent.items()})
    truth = chosen.changed(column.shipped.finding)
    figures, rows, end = _shares(column, found), [], column.end
    for key, one in latent.items():
        figures[f"gap_{key}{end}"] = _gap(one)
    overlap: dict[str, Tensor] = {}
    for i, (key, values) in enumerate(found.maps.items()):
        progress(0.7 + 0.3 * i / len(found.maps), f"{column.name}: deletion and insertion, {TITLES[key]}")
        own = _of_map(column, found.images, values, truth)
        row: Row = {"column": column.name, "map": key, "n": len(values)}
        for name, per_image in own.items():
            estimate = t_mean(per_image.numpy())
            figures |= spread(f"{name}_{key}{end}", estimate)
            row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        rows.append(row)
        if truth is not None:
            overlap[key] = own["iou"]
    for key in (key for key in overlap if key != "lig"):
        figures |= spread(f"iou_lead_{key}{end}", t_mean((overlap["lig"] - overlap[key]).numpy()))
    if truth is not None:
        share = truth.flatten(1).double().mean(dim=1)
        known = share[share > 0]
        figures |= {f"iou_chance{end}": (known / (2 - known)).mean().item(), f"iou_n{end}": float(len(known))}
    return Block(figures, rows, _sheet(column, found, truth, extent.shown))


def _shares(column: Column, found: Explained) -> dict[str, float]:
    figures: dict[str, float] = {}
    pixels = share_above(found.maps["ig"], THRESHOLD)
    for key in ("lig", "lig_path"):
        ratio = (share_above(found.maps[key], THRESHOLD) / pixels).numpy()
        name = f"{key}_pixel_share{column.end}"
        figures |= spread(name, t_mean(ratio))
        if len(ratio) > 1:
            figures[f"{name}_sd"] = float(np.std(ratio, ddof=1))
    return figures


def _of_map(column: Column, images: Tensor, values: Tensor, truth: Tensor | None) -> dict[str, Tensor]:
    """(n,) each: what is said of a map."""
    found = {
        "mass_share": mass_share(values, MASS),
        "deletion_auc": deletion(column.score, images, values).area,
        "insertion_auc": insertion(column.score, images, values).area,
    }
    return found if truth is None else found | {"iou": top_iou(values, truth)}


def _gap(found: Attribution) -> float:
    return (found.gap.abs() / found.change.abs().clamp(min=1e-6)).median().item()


def _sheet(column: Column, found: Explained, truth: Tensor | None, shown: int) -> Picture:
    heads = ["image", "reconstruction", "negative", *(TITLES[key] for key in found.maps)]
    tiles = []
    for i in range(min(shown, len(found.images))):
        row = [Tile(gray(one[i])) for one in (found.images, found.reconstruction, found.negative)]
        row += [Tile(heat(values[i])) for values in found.maps.values()]
        tiles.append(row if truth is None else [*row, Tile(gray(truth[i].float()))])
    heads += [] if truth is None else ["truly changed"]
    return sheet(f"{column.shipped.name}: maps", heads, tiles)
