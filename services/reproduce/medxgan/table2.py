"""Table 2 and Figure 8 of seed 001: how far p falls where the pixels of a map are replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL.Image import Image as Picture
from torch import Tensor

from cfcore.attribution.curves import Curve, drop_curve
from cfcore.attribution.fills import replace_top
from cfcore.attribution.names import FILLS, Fill
from cfcore.engines.base import Progress
from cfcore.metrics.means import t_mean
from services.reproduce.result import Row, spread

from .command import Block, Wish, carry_out
from .drawing import Line, Tile, chart, gray, heat, sheet, under
from .maps import TITLES, Explained, explained
from .material import Column, positives

NAME = "reproduce-medxgan-table2"
SHARES = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10, 0.12, 0.15, 0.20, 0.25, 0.30)
HEADLINE = 0.10  # The paper does not say how many pixels it replaces.
PAPER_FILL: Fill = "mean"
# The paper's average drop; it has none for IG.
PAPER: Mapping[str, Mapping[str, float]] = {
    "mri": {"medxgan": 0.97, "gradcam": 0.89}, "x-ray": {"medxgan": 0.91, "gradcam": 0.83},
}  # fmt: skip


@dataclass(frozen=True)
class Extent:
    """Held-out images from which the positive ones are taken, these at most, those shown in the figure."""

    pool: int = 400
    images: int = 60
    shown: int = 3


QUICK = Extent(pool=32, images=6, shown=2)


def table2(wish: Wish) -> dict[str, Any]:
    """Positive held-out images with the top share of the pixels of each map replaced, the same number for all maps.

    Drop of an image: (p(x) - p(x replaced)) / p(x), p the probability of the positive class; negative where p rises.
    Figures, the phantom's bare, the others with `_ucsd`, `_mri`: drop_medxgan, drop_gradcam, drop_ig (10 % of the
    pixels, the image's mean; t interval over images); drop_absolute_* (the same, not divided by p(x)); drop_area_*
    (mean height of the curve from 1 to 30 %); drop_lead_gradcam, drop_lead_ig (medXGAN less the other, paired);
    drop_n. Rows: every map, fill and share. Picture: examples like Fig. 8 over the curve.

    Raises:
        ValueError, FileNotFoundError: as `carry_out` and `positives`.
    """
    extent = QUICK if wish.quick else Extent()
    return carry_out(NAME, "table2.py", extent, partial(work, extent), wish)


def work(extent: Extent, column: Column, progress: Progress) -> Block:
    """One column."""
    found = explained(column, positives(column, extent.pool, extent.images), progress)
    before = column.score.probability(found.images)
    curves: dict[tuple[str, Fill], Tensor] = {}
    for i, fill in enumerate(FILLS):
        progress(0.5 + i / len(FILLS) / 2, f"{column.name}: filling with {fill}")
        for key, values in found.maps.items():
            curve = drop_curve(column.score, found.images, values, torch.tensor(SHARES), fill)
            curves[key, fill] = curve.values / before[:, None]
    rows = [row for (key, fill), curve in curves.items() for row in _rows(column, key, fill, curve)]
    own = {key: curves[key, PAPER_FILL] for key in found.maps}
    picture = under(_examples(column, found, before, extent.shown), _chart(column, own))
    return Block(_figures(column, own, before), rows, picture)


def _figures(column: Column, own: Mapping[str, Tensor], before: Tensor) -> dict[str, float]:
    at, end = SHARES.index(HEADLINE), column.end
    figures = {f"drop_n{end}": float(len(before))}
    for key, curve in own.items():
        figures |= spread(f"drop_{key}{end}", t_mean(curve[:, at].numpy()))
        figures |= spread(f"drop_absolute_{key}{end}", t_mean((curve[:, at] * before).numpy()))
        figures |= spread(f"drop_area_{key}{end}", t_mean(Curve(torch.tensor(SHARES), curve).area.numpy()))
        if key != "medxgan":
            lead = own["medxgan"][:, at] - curve[:, at]
            figures |= spread(f"drop_lead_{key}{end}", t_mean(lead.numpy()))
    return figures


def _rows(column: Column, key: str, fill: Fill, curve: Tensor) -> list[Row]:
    theirs = PAPER["mri" if column.shipped.source == "mri" else "x-ray"].get(key)
    rows: list[Row] = []
    for share, values in zip(SHARES, curve.T, strict=True):
        drop = t_mean(values.numpy())
        row = {"column": column.name, "map": key, "fill": fill, "share": share, "n": drop.n, "drop": drop.value}
        rows.append(row | {"low": drop.low, "high": drop.high, "paper": theirs if fill == PAPER_FILL else None})
    return rows


def _examples(column: Column, found: Explained, before: Tensor, shown: int) -> Picture:
    tiles = []
    for i in range(min(shown, len(found.images))):
        row = [Tile(gray(found.images[i]), (f"p {before[i]:.2f}",))]
        for values in found.maps.values():
            image = replace_top(found.images[i : i + 1], values[i : i + 1], HEADLINE, PAPER_FILL)
            after = column.score.probability(image)[0]
            row += [Tile(heat(values[i])), Tile(gray(image[0]), (f"p {after:.2f}",))]
        tiles.append(row)
    heads = ["image", *(head for key in found.maps for head in (TITLES[key], "replaced"))]
    return sheet(f"{column.shipped.name}: {HEADLINE:.0%} of the pixels replaced by the mean", heads, tiles)


def _chart(column: Column, own: Mapping[str, Tensor]) -> Picture:
    lines = {}
    for key, curve in own.items():
        points = [t_mean(values.numpy()) for values in curve.T]
        mean = np.array([p.value for p in points], dtype=float)
        ends = (np.array([p.low if end == 0 else p.high for p in points], dtype=float) for end in (0, 1))
        low, high = (np.where(np.isnan(end), mean, end) for end in ends)
        lines[TITLES[key]] = Line(mean, low, high)
    title = f"{column.shipped.name}: relative drop of p, filled with the mean"
    return chart(title, "% of the pixels replaced", 100 * np.array(SHARES), lines)
