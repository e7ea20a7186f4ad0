"""The first counterfactual: the smallest k of a grid at which the picture is the target for the classifier."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# (m,) numbers of images, (m,) k -> (m,) margin of the target against the rest, above 0 where it is the target.
Margin = Callable[[Tensor, Tensor], Tensor]

AT_ONCE = 32  # pictures


def every_step(margin: Margin, images: int, last: int) -> tuple[Tensor, Tensor, Tensor]:
    """Try k = 0, 1 / last, ..., 1 in this order, for all images together, until each is the target.

    Returns:
        (n,) k: the smallest at which it is; of the greatest margin where there is none. (n,) bool whether there is one.
        (n,) how many k were tried.
    """
    k, best = torch.zeros(images), torch.full((images,), -torch.inf)
    tried = torch.full((images,), last + 1)
    found = torch.zeros(images, dtype=torch.bool)
    place = 0
    while place <= last and not found.all():
        left = (~found).nonzero()[:, 0]
        # Few images are tried at several steps at once, which costs less than one after the other.
        steps = torch.arange(place, min(last + 1, place + max(1, AT_ONCE // len(left))))
        values = torch.cat([
            margin(rows, at)
            for rows, at in zip(
                left.repeat_interleave(len(steps)).split(AT_ONCE),
                (steps / last).repeat(len(left)).split(AT_ONCE),
                strict=True,
            )
        ]).view(len(left), len(steps))  # fmt: skip
        hit = values > 0
        first = torch.where(hit.any(dim=1), hit.int().argmax(dim=1), values.argmax(dim=1))
        top = values.gather(1, first[:, None])[:, 0]
        better = hit.any(dim=1) | (top > best[left])
        k[left[better]], best[left[better]] = steps[first[better]] / last, top[better]
        found[left] = hit.any(dim=1)
        tried[left[hit.any(dim=1)]] = steps[first[hit.any(dim=1)]] + 1
        place += len(steps)
    return k, found, tried


def bisection(margin: Margin, images: int, last: int) -> tuple[Tensor, Tensor, Tensor]:
    """As `every_step`, where the class changes at most once from k = 0 to k = 1; an image that is not the target at
    k = 1 has no counterfactual."""
    rows = torch.arange(images)
    found = _in_parts(margin, rows, torch.ones(images)) > 0
    low, high = torch.full((images,), -1), torch.full((images,), last)
    tried = torch.ones(images, dtype=torch.long)
    while len(open_rows := rows[found & (high - low > 1)]):
        middle = (low[open_rows] + high[open_rows]) // 2
        hit = _in_parts(margin, open_rows, middle / last) > 0
        high[open_rows] = torch.where(hit, middle, high[open_rows])
        low[open_rows] = torch.where(hit, low[open_rows], middle)
        tried[open_rows] += 1
    return high / last, found, tried


def _in_parts(margin: Margin, rows: Tensor, k: Tensor) -> Tensor:
    return torch.cat([margin(*part) for part in zip(rows.split(AT_ONCE), k.split(AT_ONCE), strict=True)])
