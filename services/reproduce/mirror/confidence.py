"""Exact control, the claim of seed 004: is the confidence obtained the one that was intended, all along the way?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from PIL.Image import Image as Picture
from torch import Tensor

from cfcore.engines.base import Progress
from cfcore.engines.mirror import MirrorCFEConfig
from cfcore.metrics.means import t_mean
from services.reproduce.medxgan.drawing import Line, chart, under
from services.reproduce.result import Row, spread

from .array_sets import as_many
from .columns import Column, column_of
from .command import Block, Wish, carry_out, chosen_entries, with_images
from .curves import Curves, asked, curves
from .material import Entry

NAME = "reproduce-mirror-confidence"
WANTED = tuple(i / 10 for i in range(1, 10))


@dataclass(frozen=True)
class Extent:
    """Images a column by source, over all directions; points of k."""

    images: Mapping[str, int] = field(default_factory=lambda: {"mnist": 192, "phantom": 60, "ucsd": 60})
    points: int = 21


QUICK = Extent({"mnist": 12, "phantom": 4, "ucsd": 4}, points=5)


def confidence(wish: Wish) -> dict[str, Any]:
    """Held-out images drawn along the whole way, and for confidences of 0.1 to 0.9 that are asked for.

    Figures: `<column>_control_error` (mean |intended - obtained| over k; t interval over images), `_control_worst` (the
    largest mean over images at one k), `_control_bias` (mean obtained - intended), `<column>_asked_error` (mean
    |asked - obtained| over the confidences that an image's way reaches). Rows: one a k, and one a confidence asked for.
    Picture: both as curves, bars of a standard deviation over images.

    Raises:
        ValueError, FileNotFoundError: as `chosen_entries` and `carry_out`.
    """
    extent = with_images(QUICK if wish.quick else Extent(), wish)
    modules = ("confidence.py", "curves.py")
    return carry_out(NAME, modules, extent, chosen_entries(wish), partial(work, extent), wish, kinds=())


def work(extent: Extent, entry: Entry, progress: Progress) -> Block:
    """One column."""
    return control(column_of(entry), as_many(extent.images, entry.source), extent.points, progress)


def control(column: Column, images: int, points: int, progress: Progress) -> Block:
    """One column with its decoder as trained."""
    led, config, name = column.led("test", images), MirrorCFEConfig(), column.name
    path = curves(column, led, points, config, lambda share, message: progress(share / 2, message))
    got = asked(column, led, WANTED, config, lambda share, message: progress((1 + share) / 2, message))
    off = (got - got.new_tensor(WANTED)).abs()
    figures = (
        spread(f"{name}_control_error", t_mean(path.error.mean(dim=1).numpy()))
        | spread(f"{name}_control_bias", t_mean((path.obtained - path.intended).mean(dim=1).numpy()))
        | spread(f"{name}_asked_error", t_mean(off.nanmean(dim=1).numpy()))
        | {f"{name}_control_worst": path.error.mean(dim=0).max().item(), f"{name}_control_n": float(len(got))}
    )
    rows: list[Row] = []
    for i, k in enumerate(path.k.tolist()):
        told = {"kind": "k", "column": name, "at": k, "n": len(got)}
        rows.append(told | _spread("intended", path.intended[:, i]) | _spread("obtained", path.obtained[:, i]))
    for i, p in enumerate(WANTED):
        known = got[:, i][~got[:, i].isnan()]
        rows.append({"kind": "asked", "column": name, "at": p, "n": len(known)} | _spread("obtained", known))
    return Block(figures, rows, [_charts(column, path, got)])


def _spread(name: str, values: Tensor) -> Row:
    known = values.numpy()
    if not len(known):
        return {name: None, f"{name}_sd": None}
    return {name: float(known.mean()), f"{name}_sd": float(known.std(ddof=1)) if len(known) > 1 else None}


def _charts(column: Column, path: Curves, got: Tensor) -> Picture:
    step = max(1, (len(path.k) - 1) // 10)
    k = path.k[::step]
    along = {"intended": _line(path.intended[:, ::step]), "obtained": _line(path.obtained[:, ::step])}
    wanted = np.array(WANTED)
    over = {"asked for": Line(wanted, wanted, wanted), "obtained": _line(got)}
    return under(
        chart(f"{column.title}: confidence in the target along the way", "k (bars: 1 SD)", k.double().numpy(), along),
        chart(f"{column.title}: confidence asked for", "asked for (bars: 1 SD over images)", wanted, over),
    )


def _line(values: Tensor) -> Line:
    """Mean and standard deviation of (n, m) values over the images; 0 where no image has any."""
    known = np.ma.masked_invalid(values.double().numpy())
    mean, sd = (np.asarray(part.filled(0.0), dtype=float) for part in (known.mean(axis=0), known.std(axis=0)))
    return Line(mean, np.clip(mean - sd, 0, 1), np.clip(mean + sd, 0, 1))
