"""The least degree that flips an image."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.engines.base import Engine, Explanation, Rendering

COARSE, FINE = 8, 7


def least_degrees(
    engine: Engine, images: Tensor, target: int, explanation: Explanation, rendering: Rendering
) -> list[float | None]:
    """Per image the least degree along its own direction at which its class is the target, None where none flipped.

    Two grids, no bisection, since the probability need not rise steadily: the first of COARSE equal steps that flips,
    then the first of FINE + 1 steps before it. So the figure is an upper bound, too high by at most 1/64 of the
    run's degree.
    """
    found: list[float | None] = []
    for i in range(len(images)):
        degree = float(explanation.strength[i])
        if not explanation.flipped[i] or degree != degree:
            found.append(None)
            continue
        step = degree / COARSE
        grid = torch.arange(1, COARSE + 1) * step
        first = _first(engine, images[i : i + 1], target, grid, explanation.direction[i], rendering)
        high = degree if first is None else first
        inside = high - step + torch.arange(1, FINE + 1) * step / (FINE + 1)
        finer = _first(engine, images[i : i + 1], target, inside, explanation.direction[i], rendering)
        found.append(high if finer is None else finer)
    return found


def _first(
    engine: Engine, image: Tensor, target: int, grid: Tensor, direction: str | None, rendering: Rendering
) -> float | None:
    row = engine.probabilities_along(image, target, grid, direction=direction, rendering=rendering)[0]
    hits = (row > 0.5).nonzero()
    return float(grid[hits[0, 0]]) if len(hits) else None
