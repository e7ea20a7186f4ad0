"""Figure 6 of seed 004: do the mirror images lie among the images of the target class in feature space?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from PIL.Image import Image as Picture
from torch import Tensor

from cfcore.engines.base import Progress
from cfcore.engines.mirror import MirrorCFEConfig
from cfcore.metrics.comparison import share
from cfcore.metrics.frechet import features_of
from services.reproduce.medxgan.drawing import COLOURS
from services.reproduce.result import Row, spread

from .array_sets import as_many
from .columns import Column, column_of
from .command import Block, Wish, carry_out, chosen_entries, with_images
from .material import Entry
from .methods import AT_MIRROR, METHODS, Choice, outcomes

NAME = "reproduce-mirror-figure6"
NEIGHBOURS = 5
SIDE, EDGE, TITLE, LEGEND = 480, 14, 34, 150


@dataclass(frozen=True)
class Extent:
    """Images that are mirrored, by source; real images a class around them."""

    images: Mapping[str, int] = field(default_factory=lambda: {"mnist": 192, "phantom": 60, "ucsd": 60})
    real: int = 100
    brief: bool = False


QUICK = Extent({"mnist": 12, "phantom": 4, "ucsd": 4}, real=16, brief=True)


def figure6(wish: Wish) -> dict[str, Any]:
    """Mirror points z_1 and the features of the pictures drawn from them, among the features of held-out real images.

    Drawn by t-SNE of both together, as in the paper; the figures are of all features. Multi-class points (closed form).
    Figures: `<column>_neighbours_target` (share of mirror points most of whose five nearest real images are of the
    target class; Wilson), `<column>_neighbours_target_drawn` (the same of the drawn pictures),
    `<column>_trustworthiness` (of the map). Rows: one an image, `x` and `y` its place on the map.

    Raises:
        ValueError, FileNotFoundError: as `chosen_entries` and `carry_out`.
    """
    extent = with_images(QUICK if wish.quick else Extent(), wish)
    return carry_out(NAME, ("figure6.py",), extent, chosen_entries(wish), partial(work, extent), wish, kinds=())


def work(extent: Extent, entry: Entry, progress: Progress) -> Block:
    """One column."""
    return reflections(column_of(entry), as_many(extent.images, entry.source), extent, progress)


def reflections(column: Column, images: int, extent: Extent, progress: Progress) -> Block:
    """One column with its decoder as trained."""
    choice = Choice(MirrorCFEConfig(points="closed form", search="bisection"), "closed form")
    found = outcomes(METHODS[0], column, column.led("test", images), choice, progress)[AT_MIRROR]
    pictures, classes = column.real("test", extent.real, images)
    real, drawn = features_of(column.classifier, pictures), features_of(column.classifier, found.pictures)
    assert found.wanted is not None
    meant = near_target(found.wanted, found.target, real, classes)
    seen = near_target(drawn, found.target, real, classes)
    places, trust = neighbour_map(real, found.wanted)
    name = column.name
    figures = (
        spread(f"{name}_neighbours_target", share(meant))
        | spread(f"{name}_neighbours_target_drawn", share(seen))
        | {f"{name}_trustworthiness": trust}
    )
    rows: list[Row] = [
        {"column": name, "source": int(found.source[i]), "target": int(found.target[i]), "near_target": bool(meant[i]),
         "drawn_near_target": bool(seen[i]), "x": float(places[1][i, 0]), "y": float(places[1][i, 1])}
        for i in range(len(meant))
    ]  # fmt: skip
    return Block(figures, rows, [_scatter(column, places[0], classes, places[1], found.target)])


def neighbour_map(real: Tensor, mirrored: Tensor) -> tuple[tuple[np.ndarray, np.ndarray], float]:
    """Both sets of (n, d) features in one plane by t-SNE (van der Maaten & Hinton, JMLR 2008): ((n, 2), (m, 2)) places,
    and how far neighbours there are neighbours here, 0 to 1 (trustworthiness; Venna & Kaski, ICANN 2001).

    Perplexity 30, or a third of the points where these are fewer than 90; started from the principal components, so
    that it is the same every time.
    """
    # Heavy, and only needed here.
    from sklearn.manifold import TSNE, trustworthiness

    every = torch.cat([real, mirrored]).double().numpy()
    plane = TSNE(perplexity=min(30, len(every) / 3), init="pca", random_state=0).fit_transform(every)
    trust = trustworthiness(every, plane, n_neighbors=min(NEIGHBOURS, len(every) // 2 - 1))
    return (plane[: len(real)], plane[len(real) :]), float(trust)


def near_target(points: Tensor, target: Tensor, real: Tensor, classes: Tensor) -> Tensor:
    """(n,) bool: of the nearest real (m, d) features, more than half are of the (n,) target class."""
    k = min(NEIGHBOURS, len(real))
    nearest = torch.cdist(points, real).topk(k, largest=False).indices
    return (classes[nearest] == target[:, None]).sum(dim=1) * 2 > k


def _scatter(column: Column, real: np.ndarray, classes: Tensor, mirrored: np.ndarray, target: Tensor) -> Picture:
    """Real images as dots, mirror points as crosses of their target's colour."""
    picture = Pillow.new("RGB", (SIDE + LEGEND, SIDE + TITLE), "white")
    draw = ImageDraw.Draw(picture)
    draw.text(
        (8, 8),
        f"{column.title}: t-SNE of mirror points and real images",
        fill=(27, 34, 48),
        font=ImageFont.load_default(15),
    )
    every = np.concatenate([real, mirrored])
    low, reach = every.min(axis=0), np.ptp(every, axis=0).clip(1e-9)
    palette = {c: (*COLOURS, (230, 159, 0), (86, 180, 233))[i % 6] for i, c in enumerate(column.targets)}

    def place(point: np.ndarray) -> tuple[float, float]:
        x, y = (point - low) / reach
        return EDGE + x * (SIDE - 2 * EDGE), TITLE + EDGE + (1 - y) * (SIDE - 2 * EDGE)

    for point, c in zip(real, classes.tolist(), strict=True):
        x, y = place(point)
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=palette[c])
    for point, c in zip(mirrored, target.tolist(), strict=True):
        x, y = place(point)
        for side in (-1, 1):
            draw.line((x - 4, y - 4 * side, x + 4, y + 4 * side), fill=palette[c], width=2)
    for i, c in enumerate(column.targets):
        text = f"{column.classifier.class_names[c]} (x: mirrored to)"
        draw.text((SIDE + 4, TITLE + 18 * i), text, fill=palette[c], font=ImageFont.load_default(11))
    return picture
