"""The first counterfactual of any method: the smallest degree of a grid at which C says the target (METHODS 5)."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.classifiers.base import is_class, resize, target_margin
from cfcore.engines.base import Engine, Progress, silent

BATCH = 16


@torch.no_grad()
def first_counterfactuals(
    engine: Engine,
    images: Tensor,
    target: int,
    *,
    direction: str | None = None,
    steps: int = 100,
    progress: Progress = silent,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw (n, channels, *spatial) images plainly at steps + 1 even degrees from 0 to the engine's largest,
    in this order, each until C calls it `target`. Degree 0 counts: there C says the target of a reconstruction.

    Returns:
        (n, channels, *size) the first such picture, that of the largest margin where there is none; (n,) its degree;
        (n,) bool, whether there is one.

    Raises:
        ValueError: fewer than one step.
    """
    if steps < 1:
        raise ValueError(f"{steps} steps make no grid: give at least 1")
    small = resize(images, engine.size)
    codes = torch.cat([engine.encode(chunk, target) for chunk in small.split(BATCH)])
    pictures, degrees = small.clone(), torch.zeros(len(small))
    found, margin = torch.zeros(len(small), dtype=torch.bool), torch.full((len(small),), float("-inf"))
    for step in range(steps + 1):
        left = (~found).nonzero()[:, 0]
        if not len(left):
            break
        progress(step / (steps + 1), f"degree {step} of {steps}, {len(left)} images left")
        degree = engine.degree_range[1] * step / steps
        for rows in left.split(BATCH):
            wanted = torch.full((len(rows),), degree, device=small.device)
            drawn = engine.draw(codes[rows], small[rows], {direction: wanted}, target)
            logits = engine.judge(drawn)
            hit, own = is_class(logits, target).cpu(), target_margin(logits, target).cpu()
            take = hit | (own > margin[rows])
            at = rows[take]
            pictures[at], degrees[at] = drawn[take.to(drawn.device)], degree
            margin[rows] = torch.maximum(margin[rows], own)
            found[rows] = hit
    return pictures, degrees, found
