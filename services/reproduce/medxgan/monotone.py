"""Section 4.3 of seed 001: does p fall all the way from an image to its negative realisation?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from PIL.Image import Image as Picture
from torch import Tensor

from cfcore.engines.base import Progress
from cfcore.metrics.means import t_mean
from cfcore.metrics.traversal import TOLERANCE, falls
from cfcore.study.intervals import wilson
from services.reproduce.result import Row, spread

from .command import Block, Wish, carry_out
from .drawing import Tile, gray, heat, sheet
from .material import Column, drawn, positives

NAME = "reproduce-medxgan-monotone"


@dataclass(frozen=True)
class Extent:
    """Held-out images from which the positive ones are taken, these at most, those shown; points of a traversal, and
    the rise of p that still counts as none."""

    pool: int = 400
    images: int = 60
    shown: int = 4
    points: int = 11
    tolerance: float = TOLERANCE


QUICK = Extent(pool=32, images=6, shown=2)


def monotone(wish: Wish) -> dict[str, Any]:
    """p along G(z1, a z2), a from 1 to 0 in 11 points, of positive held-out images.

    Figures, the phantom's bare, the others with `_ucsd`, `_mri`: monotone_share (share of traversals along which p
    falls from point to point or rises by at most 0.01; Wilson), monotone_strict (no tolerance), monotone_rise (mean
    over images of the largest rise), monotone_flipped (share whose negative realisation C calls negative), monotone_n.
    Rows: one an image. Picture: traversals like Fig. 5, the accumulated change last.

    Raises:
        ValueError, FileNotFoundError: as `carry_out` and `positives`.
    """
    extent = QUICK if wish.quick else Extent()
    return carry_out(NAME, "monotone.py", extent, partial(work, extent), wish)


def work(extent: Extent, column: Column, progress: Progress) -> Block:
    """One column."""
    images = positives(column, extent.pool, extent.images).images
    z1, z2 = column.latents(images, progress)
    shares = torch.linspace(1, 0, extent.points)
    frames = torch.stack([drawn(column, z1, share * z2) for share in shares], dim=1)
    p = column.score.probability(frames.flatten(0, 1)).view(frames.shape[:2])
    down, strict = falls(p, extent.tolerance), falls(p, 0.0)
    rise, flipped, end = p.diff(dim=1).amax(dim=1).clamp(min=0), p[:, -1] < 0.5, column.end
    figures = (
        spread(f"monotone_share{end}", wilson(int(down.sum()), len(down)))
        | spread(f"monotone_strict{end}", wilson(int(strict.sum()), len(strict)))
        | spread(f"monotone_rise{end}", t_mean(rise.numpy()))
        | spread(f"monotone_flipped{end}", wilson(int(flipped.sum()), len(flipped)))
        | {f"monotone_n{end}": float(len(p))}
    )
    rows: list[Row] = [
        {"column": column.name, "image": i, "falls": bool(down[i]), "rise": rise[i].item(), "p": p[i].tolist()}
        for i in range(len(p))
    ]
    return Block(figures, rows, _sheet(column, images, frames, p, shares, extent.shown))


def _sheet(column: Column, images: Tensor, frames: Tensor, p: Tensor, shares: Tensor, shown: int) -> Picture:
    seen = list(range(0, len(shares), 2))
    tiles = []
    for i in range(min(shown, len(images))):
        moved = frames[i].diff(dim=0).abs().sum(dim=0)
        row = [Tile(gray(images[i]), ("",))]
        row += [Tile(gray(frames[i, j]), (f"p {p[i, j]:.2f}",)) for j in seen]
        tiles.append([*row, Tile(heat(moved), ("",))])
    heads = ["image", *(f"z2 x {shares[j]:.1f}" for j in seen), "accumulated"]
    return sheet(f"{column.shipped.name}: traversals to the negative realisation", heads, tiles)
