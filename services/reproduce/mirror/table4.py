"""Table 4 of seed 004: both measures of faithfulness."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cfcore.engines.base import Progress
from cfcore.engines.mirror import MirrorCFEConfig
from cfcore.metrics.means import t_mean
from services.reproduce.result import Row, spread

from .array_sets import as_many
from .columns import Column, column_of
from .command import Block, Wish, carry_out, chosen_entries, with_images
from .confidence import QUICK, Extent
from .curves import curves
from .material import Entry

NAME = "reproduce-mirror-table4"
# Feature reconstruction distance and |intended - obtained confidence|.
PAPER: Mapping[str, tuple[float, float]] = {"mnist": (0.012, 0.014)}


def table4(wish: Wish) -> dict[str, Any]:
    """How close the pictures along the way come to the points that they are drawn for; means over k, then over images.

    Figures, t intervals over images: `<column>_feature_reconstruction` (|z_k - F(x_k)|_2), `_feature_error` (mean
    |difference| over features), `_feature_relative` (the first over |z_1 - z_0|), `_confidence_difference`. Rows: one a
    column, the paper's beside.

    Raises:
        ValueError, FileNotFoundError: as `chosen_entries` and `carry_out`.
    """
    extent = with_images(QUICK if wish.quick else Extent(), wish)
    modules = ("table4.py", "confidence.py", "curves.py")
    return carry_out(NAME, modules, extent, chosen_entries(wish), partial(work, extent), wish, kinds=())


def work(extent: Extent, entry: Entry, progress: Progress) -> Block:
    """One column."""
    return faithfulness(column_of(entry), as_many(extent.images, entry.source), extent.points, progress)


def faithfulness(column: Column, images: int, points: int, progress: Progress) -> Block:
    """One column with its decoder as trained."""
    path = curves(column, column.led("test", images), points, MirrorCFEConfig(), progress)
    values = {
        "feature_reconstruction": path.gap,
        "feature_error": path.gap_mean,
        "feature_relative": path.gap / path.step[:, None],
        "confidence_difference": path.error,
    }
    means = {name: t_mean(found.mean(dim=1).numpy()) for name, found in values.items()}
    theirs = PAPER.get(column.name, (None, None))
    row: Row = {"column": column.name, "n": len(path.step)} | {name: mean.value for name, mean in means.items()}
    row |= {"paper_feature": theirs[0], "paper_confidence": theirs[1]}
    return Block({k: v for n, mean in means.items() for k, v in spread(f"{column.name}_{n}", mean).items()}, [row])
