"""Table 3 and Figure 10 of seed 001: do independent searches end in the same place?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from PIL.Image import Image as Picture
from torch import Tensor

from cfcore.engines.base import Progress
from cfcore.generators.medxgan.inversion import Found, Search, invert
from cfcore.metrics.likeness import pairwise_cosine, pairwise_similarity
from cfcore.metrics.means import t_mean
from services.reproduce.result import Row, spread

from .command import Block, Wish, carry_out
from .drawing import Tile, gray, sheet
from .material import Column, drawn, positives

NAME = "reproduce-medxgan-table3"
SEED = 3
FULL = 0.9  # of the work: the search that takes all steps; the plateau rule ends the other one early
# The paper's cosine and SSIM.
PAPER: Mapping[str, tuple[float, float]] = {"mri": (0.965, 0.970), "x-ray": (0.994, 0.968)}


@dataclass(frozen=True)
class Extent:
    """Held-out images from which the positive ones are taken, these at most; starts an image, steps of every start, and
    the patience whose price is told beside."""

    pool: int = 400
    images: int = 4
    starts: int = 5
    steps: int = 10_000
    patience: int = 50


QUICK = Extent(pool=16, images=2, steps=40, patience=5)


def table3(wish: Wish, *, steps: int | None = None, images: int | None = None) -> dict[str, Any]:
    """Independent starts from N(0, I), never from the encoder, of positive held-out images, all steps taken.

    Figures, the phantom's bare, the others with `_ucsd`, `_mri`; t intervals over images, each the mean over its pairs
    of starts: restart_cosine (of (z1, z2) together), restart_cosine_z1, restart_cosine_z2, restart_ssim (between the
    reconstructions), restart_mse (to the image). The same starts under the patience rule: steps_saved (share of the
    steps), patience_steps (mean), patience_mse, patience_mse_ratio (its MSE over that of all steps). Rows: one an
    image. Picture: the image beside the reconstructions of its starts, like Fig. 10.

    Args:
        steps, images: other numbers than 10,000 (the paper's) and 4; told in the settings, and not stored.

    Raises:
        ValueError, FileNotFoundError: as `carry_out` and `positives`.
    """
    extent = QUICK if wish.quick else Extent()
    asked = {name: number for name, number in (("steps", steps), ("images", images)) if number is not None}
    extent = replace(extent, **asked)
    return carry_out(NAME, "table3.py", extent, partial(work, extent), wish, usual=extent == Extent())


def work(extent: Extent, column: Column, progress: Progress) -> Block:
    """One column."""
    images = positives(column, extent.pool, extent.images).images

    def search(patience: int, begun: float, end: float) -> Found:
        def tell(share: float, message: str) -> None:
            progress(begun + share * (end - begun), f"{column.name}, {message}")

        asked = Search(extent.steps, patience=patience, restarts=extent.starts, warm=False, seed=SEED)
        return invert(column.generator, column.classifier, images, asked, tell)

    full, patient = search(0, 0.0, FULL), search(extent.patience, FULL, 1.0)
    pictures = drawn(column, full.z1.flatten(0, 1), full.z2.flatten(0, 1)).unflatten(0, full.loss.shape)
    measured = {
        "restart_cosine": pairwise_cosine(torch.cat([full.z1, full.z2], dim=2)).mean(dim=1),
        "restart_cosine_z1": pairwise_cosine(full.z1).mean(dim=1),
        "restart_cosine_z2": pairwise_cosine(full.z2).mean(dim=1),
        "restart_ssim": pairwise_similarity(pictures).mean(dim=1),
        "restart_mse": full.mse.mean(dim=1),
        "patience_mse": patient.mse.mean(dim=1),
        "patience_steps": patient.steps.double().mean(dim=1),
    }
    end = column.end
    figures: dict[str, float] = {}
    for name, values in measured.items():
        figures |= spread(f"{name}{end}", t_mean(values.numpy()))
    figures[f"steps_saved{end}"] = 1 - figures[f"patience_steps{end}"] / extent.steps
    figures[f"patience_mse_ratio{end}"] = (patient.mse.mean() / full.mse.mean()).item()
    theirs = PAPER["mri" if column.shipped.source == "mri" else "x-ray"]
    rows: list[Row] = [
        {"column": column.name, "image": i} | {name: values[i].item() for name, values in measured.items()}
        | {"paper_cosine": theirs[0], "paper_ssim": theirs[1]}
        for i in range(len(images))
    ]  # fmt: skip
    return Block(figures, rows, _contact(column, images, pictures, full))


def _contact(column: Column, images: Tensor, pictures: Tensor, found: Found) -> Picture:
    tiles = [
        [
            Tile(gray(image), ("",)),
            *(Tile(gray(one), (f"MSE {mse:.4f}",)) for one, mse in zip(own, errors.tolist(), strict=True)),
        ]
        for image, own, errors in zip(images, pictures, found.mse, strict=True)
    ]
    heads = ["image", *(f"start {i + 1}" for i in range(pictures.shape[1]))]
    return sheet(f"{column.shipped.name}: independent starts from N(0, I), the best first", heads, tiles)
