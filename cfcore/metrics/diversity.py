"""How different pictures are from each other: mean |difference| between pairs."""

from __future__ import annotations

import torch
from scipy.special import stdtrit
from torch import Tensor

from cfcore.study.estimate import Estimate, undefined


def between_draws(pictures: Tensor) -> Tensor:
    """(n,) mean |difference| between each two of r pictures of an image, (n, r, channels, *spatial).

    Raises:
        ValueError: fewer than two pictures an image.
    """
    if pictures.shape[1] < 2:
        raise ValueError(f"{pictures.shape[1]} picture an image makes no pair: draw at least two")
    first, second = torch.triu_indices(pictures.shape[1], pictures.shape[1], offset=1)
    pairs = zip(first.tolist(), second.tolist(), strict=True)
    apart = [(pictures[:, i] - pictures[:, j]).abs().flatten(1).mean(dim=1) for i, j in pairs]
    return torch.stack(apart).mean(dim=0)


def between_images(pictures: Tensor, level: float = 0.95) -> Estimate:
    """Mean |difference| over all pairs of (n, channels, *spatial) pictures of different images.

    The interval is that of a U-statistic of pairs: standard error 2 s / sqrt(n), s the standard deviation of the
    pictures' mean distances to all others (Hoeffding 1948); t with n - 1 degrees of freedom.
    """
    n = len(pictures)
    if n < 2:
        return undefined("fewer than two pictures", n)
    # From row sums of the distances, so that no (n, n, pixels) stack is made.
    flat = pictures.flatten(1).double()
    apart = torch.stack([(flat - row).abs().mean(dim=1).sum() for row in flat]) / (n - 1)
    value, se = float(apart.mean()), 2 * float(apart.std()) / n**0.5
    if n == 2:
        return Estimate(value, n=n, note="one pair: no interval")
    half = float(stdtrit(n - 1, (1 + level) / 2)) * se
    return Estimate(value, max(0.0, value - half), value + half, se, n)
