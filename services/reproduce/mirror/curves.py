"""What the classifier sees in Mirror-CFE's pictures along the way, beside what it was meant to see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from cfcore.engines.base import Progress, silent
from cfcore.engines.mirror import MirrorCFEConfig
from cfcore.engines.mirror.engine import CONFIDENCE
from cfcore.metrics.comparison import confidence_error
from cfcore.metrics.frechet import features_of

from .columns import Column, Led
from .methods import BATCH, drawn_at, mirror_engine


@dataclass(frozen=True)
class Curves:
    """Of n images at m points k from 0 to 1.

    Attributes:
        k: (m,). intended, obtained: (n, m) probability of the target.
        gap: (n, m) |z_k - F(x_k)|_2. gap_mean: (n, m) mean |difference| over features. step: (n,) |z_1 - z_0|_2.
    """

    k: Tensor
    intended: Tensor
    obtained: Tensor
    gap: Tensor
    gap_mean: Tensor
    step: Tensor

    @property
    def error(self) -> Tensor:
        """(n, m) |intended - obtained|."""
        return (self.intended - self.obtained).abs()


@torch.no_grad()
def curves(
    column: Column, led: Sequence[Led], points: int, config: MirrorCFEConfig, progress: Progress = silent
) -> Curves:
    """All images drawn at `points` values of k."""
    k = torch.linspace(0, 1, points)
    engine, parts = mirror_engine(column, config), []
    for i, one in enumerate(led):
        progress(i / len(led), f"{column.name}: {points} pictures of each image")
        for images in one.images.split(BATCH):
            way, n = engine.way(images, one.target), len(images)
            part = Led(images, one.source, one.target)
            rows: dict[str, list[Tensor]] = {name: [] for name in ("intended", "obtained", "gap", "gap_mean")}
            for at in k:
                here = torch.full((n,), float(at))
                seen = features_of(column.classifier, drawn_at(engine, part, here))
                weight, bias = column.classifier.head
                apart = way.z(here) - seen
                rows["intended"].append(way.logits(here).softmax(dim=1)[:, one.target])
                rows["obtained"].append((seen @ weight.T + bias).softmax(dim=1)[:, one.target])
                rows["gap"].append(apart.norm(dim=1))
                rows["gap_mean"].append(apart.abs().mean(dim=1))
            stacked = {name: torch.stack(values, dim=1) for name, values in rows.items()}
            parts.append(Curves(k, step=way.step.norm(dim=1), **stacked))
    names = [one.name for one in fields(Curves) if one.name != "k"]
    return Curves(k, **{name: torch.cat([getattr(part, name) for part in parts]) for name in names})


@torch.no_grad()
def asked(
    column: Column, led: Sequence[Led], wanted: Sequence[float], config: MirrorCFEConfig, progress: Progress = silent
) -> Tensor:
    """(n, m) probability of the target obtained where each of m is asked for; nan where the image's way does not reach
    it."""
    engine, obtained = mirror_engine(column, config), []
    for i, one in enumerate(led):
        progress(i / len(led), f"{column.name}: {len(wanted)} confidences asked for")
        for images in one.images.split(BATCH):
            part, (low, high) = Led(images, one.source, one.target), engine.reachable(images, one.target)
            columns = []
            for p in wanted:
                pictures = drawn_at(engine, part, torch.full((len(images),), p), CONFIDENCE)
                # The distance from 0 is the probability itself.
                got = confidence_error(column.classifier, pictures, one.target, torch.zeros(len(images)))
                columns.append(torch.where((low <= p) & (p <= high), got, float("nan")))
            obtained.append(torch.stack(columns, dim=1))
    return torch.cat(obtained)
