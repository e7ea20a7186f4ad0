"""Figure 11 of seed 001: how close the inversions come, and where they fail."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from PIL.Image import Image as Picture
from torch import Tensor

from cfcore.engines.base import Progress
from cfcore.metrics.likeness import structural_similarity
from cfcore.metrics.means import t_mean
from cfcore.study.intervals import wilson
from services.reproduce.material import evenly
from services.reproduce.result import Row, spread

from .command import Block, Wish, carry_out
from .drawing import Tile, gray, heat, sheet
from .material import Column, drawn

NAME = "reproduce-medxgan-failures"


@dataclass(frozen=True)
class Extent:
    """Held-out images, those of them that are inverted, and the worst that are shown."""

    pool: int = 400
    images: int = 100
    shown: int = 6


QUICK = Extent(pool=32, images=8, shown=3)


def failures(wish: Wish) -> dict[str, Any]:
    """Held-out images of both classes by the engine's inversion as a user finds it, the worst of them shown.

    Figures, for each column (`_phantom`, `_ucsd`, `_mri`): inversion_l1_* (mean |x - G(z1, z2)|; t interval over
    images), inversion_ssim_*, inversion_agreement_* (share whose class under C is kept; Wilson), inversion_worst_* (the
    largest L1), inversion_n_*. Rows: one an image shown, the worst first. Picture: those, like Fig. 11.

    Raises:
        ValueError, FileNotFoundError: as `carry_out`.
    """
    extent = QUICK if wish.quick else Extent()
    return carry_out(NAME, "failures.py", extent, partial(work, extent), wish)


def work(extent: Extent, column: Column, progress: Progress) -> Block:
    """One column."""
    images = evenly(column.held_out(extent.pool).images, extent.images)
    again = drawn(column, *column.latents(images, progress))
    l1 = (again - images).abs().flatten(1).mean(dim=1)
    alike = structural_similarity(again, images)
    before, after = column.score.probability(images), column.score.probability(again)
    kept = (before > 0.5) == (after > 0.5)
    name = column.name
    figures = (
        spread(f"inversion_l1_{name}", t_mean(l1.numpy()))
        | spread(f"inversion_ssim_{name}", t_mean(alike.numpy()))
        | spread(f"inversion_agreement_{name}", wilson(int(kept.sum()), len(kept)))
        | {f"inversion_worst_{name}": l1.max().item(), f"inversion_n_{name}": float(len(l1))}
    )
    worst = l1.argsort(descending=True)[: extent.shown]
    rows: list[Row] = [
        {"column": name, "image": i, "l1": l1[i].item(), "ssim": alike[i].item(), "p_source": before[i].item(),
         "p_reconstruction": after[i].item()}
        for i in worst.tolist()
    ]  # fmt: skip
    return Block(figures, rows, _sheet(column, images[worst], again[worst], rows))


def _sheet(column: Column, images: Tensor, again: Tensor, rows: list[Row]) -> Picture:
    tiles = [
        [
            Tile(gray(image), (f"p {row['p_source']:.2f}",)),
            Tile(gray(found), (f"p {row['p_reconstruction']:.2f}, L1 {row['l1']:.3f}, SSIM {row['ssim']:.2f}",)),
            Tile(heat(found - image), ("",)),
        ]
        for image, found, row in zip(images, again, rows, strict=True)
    ]
    return sheet(f"{column.shipped.name}: the worst inversions", ["image", "reconstruction", "less the image"], tiles)
