"""What every coordinate would do, told by one forward and one backward pass an image instead of 2 m drawings."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.engines.base import Progress
from cfcore.engines.codes import styles_of
from cfcore.engines.first_order import style_gradients

from .search import BATCH, Scratch, Task


def predicted_changes(task: Task, scratch: Scratch, progress: Progress) -> Tensor:
    """(n, m, 2) predicted change of the target margin for every image, coordinate and end: d margin / d s times the
    shift.

    Raises:
        TypeError: the classifier passes no gradients.
    """
    parts = []
    for start in range(0, len(task.w), BATCH):
        name = f"predicted-{start:06d}"
        part = scratch.read(name)
        if part is None:
            part = {"changes": (_gradients(task, start) * task.shifts(start, BATCH)).cpu()}
            scratch.write(name, part)
        parts.append(part["changes"])
        progress(min(1.0, (start + BATCH) / len(task.w)), "ranking coordinates by gradients")
    return torch.cat(parts)


def smoothed_changes(task: Task, draws: int, share: float, generator: torch.Generator) -> Tensor:
    """(n, m, 2) predicted change with the gradient averaged over the image's own styles and `draws` random neighbours.

    In a neighbour every coordinate has gone all the way to one of its ends with probability `share`. Costs
    `draws` + 1 passes; what it gains is measured by `cfreader bench attfind`.
    """
    parts = []
    for start in range(0, len(task.w), BATCH):
        rows = slice(start, start + BATCH)
        styles = styles_of(task.generator, task.w[rows], task.label[rows])
        total = _gradients(task, start)
        for _ in range(draws):
            moves = torch.rand(styles.shape, generator=generator).to(styles) < share
            upward = torch.rand(styles.shape, generator=generator).to(styles) < 0.5
            end = torch.where(upward, task.ends[:, 0], task.ends[:, 1])
            total = total + _gradients(task, start, torch.where(moves, end, styles))
        parts.append((total / (draws + 1) * task.shifts(start, BATCH)).cpu())
    return torch.cat(parts)


def best_pairs(predicted: Tensor, count: int) -> Tensor:
    """The `count` pairs (numbers 2 j + side, rising) of the highest mean predicted change over images (n, m, 2)."""
    mean = predicted.mean(dim=0).flatten()
    return mean.argsort(descending=True, stable=True)[:count].sort().values


def _gradients(task: Task, start: int, styles: Tensor | None = None) -> Tensor:
    rows = slice(start, start + BATCH)
    return style_gradients(task.generator, task.classifier, task.w[rows], task.label[rows], task.target, styles=styles)[
        :, :, None
    ]
