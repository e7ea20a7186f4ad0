"""How far to go for a wanted confidence in the target."""

from __future__ import annotations

import torch
from torch import Tensor

HALVINGS = 60


def pairwise_range(margin: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) lowest and highest confidence p_t(k) = sigmoid((1 - 2 k) D) on the way, at k = 0 and k = 1."""
    return margin.sigmoid(), (-margin).sigmoid()


def exact_k(confidence: Tensor, margin: Tensor) -> Tensor:
    """(n,) k at which two classes give the target the wanted confidence: k(p) = (1 - logit(p) / D) / 2 (METHODS 5).

    Args:
        confidence: (n,) wanted, between sigmoid(D) and sigmoid(-D). margin: (n,) D of `mirror_margin`, below 0.

    Raises:
        ValueError: a margin that is not below 0, or a confidence out of reach; names the range that can be reached.
    """
    if (margin >= 0).any():
        row = int((margin >= 0).nonzero()[0])
        raise ValueError(
            f"D of image {row} is {float(margin[row]):.3g}, not below 0: it is on the target's side already"
        )
    _check(confidence, *pairwise_range(margin))
    return ((1 - confidence.logit() / margin) / 2).clamp(0, 1)


def softmax_range(logits: Tensor, change: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) softmax probability of the target at k = 0 and at k = 1.

    Args:
        logits: (n, classes) of z. change: (n, classes) of the whole step: W step. target: (n,).
    """
    zeros = torch.zeros(len(logits)).to(logits)
    return _probability(logits, change, target, zeros), _probability(logits, change, target, zeros + 1)


def bisected_k(confidence: Tensor, logits: Tensor, change: Tensor, target: Tensor) -> Tensor:
    """(n,) k at which the softmax over all classes gives the target the wanted confidence, by bisection.

    Args: as `softmax_range`; confidence: (n,) wanted, between its two ends.

    Raises:
        ValueError: a confidence out of reach; names the range that can be reached.
    """
    _check(confidence, *softmax_range(logits, change, target))
    low = torch.zeros(len(logits)).to(logits)
    high = low + 1
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = _probability(logits, change, target, middle) < confidence
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


def _probability(logits: Tensor, change: Tensor, target: Tensor, k: Tensor) -> Tensor:
    rows = (logits + k[:, None] * change).softmax(dim=1)
    return rows.gather(1, target[:, None])[:, 0]


def _check(confidence: Tensor, low: Tensor, high: Tensor) -> None:
    outside = (confidence < low) | (confidence > high)
    if outside.any():
        row = int(outside.nonzero()[0])
        raise ValueError(
            f"a confidence of {float(confidence[row]):.6g} cannot be reached for image {row}: its way to the mirror "
            f"image goes from {float(low[row]):.6g} (k = 0) to {float(high[row]):.6g} (k = 1); choose one between"
        )
