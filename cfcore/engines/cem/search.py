"""Pertinent negatives of a batch: FISTA on an elastic net, with a binary search over the weight of the class."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier

from ..base import Progress, silent
from ..searched import differentiated
from .config import CEMConfig

MOST = 1e10  # an upper end of c that stands for none

Autoencoder = Callable[[Tensor], Tensor]  # (n, channels, *size) -> the same, its reconstruction


def pertinent_negatives(
    classifier: Classifier,
    images: Tensor,
    target: int,
    config: CEMConfig,
    progress: Progress = silent,
    autoencoder: Autoencoder | None = None,
) -> tuple[Tensor, Tensor]:
    """min over d of c relu(kappa - margin(x + d)) + beta |d|_1 + |d|_2^2 + gamma |x + d - AE(x + d)|_2^2 within [0, 1].

    margin = l_t - max of the others (Dhurandhar et al. 2018, equations 1 and 5, with a chosen target in the place of
    "any class but this"). Every image has a c of its own: ten times as large until one succeeds, then halved between
    the largest that failed and the smallest that did not.

    Args:
        images: (n, channels, *size) in [0, 1].

    Returns:
        (n, channels, *size) the closest pictures with margin >= kappa, by beta |d|_1 + |d|_2^2 over all searches, and
        (n,) bool whether there is one; where not, the picture of the largest margin.

    Raises:
        TypeError: the classifier passes no gradients.
    """
    n = len(images)
    weight, low, high, distance, margin = (
        torch.full((n,), value, device=images.device)
        for value in (config.weight, 0.0, MOST, float("inf"), float("-inf"))
    )
    best = images.clone()

    def loss(moved: Tensor, logits: Tensor) -> Tensor:
        found = weight * (config.kappa - excess(logits, target)).relu() + _squared(moved - images)
        if autoencoder is not None and config.gamma:
            found = found + config.gamma * _squared(moved - autoencoder(moved))
        return found

    for search in range(config.searches):
        hit = torch.zeros(n, dtype=torch.bool, device=images.device)
        last, ahead = images, images
        for step in range(config.steps):
            if step % 10 == 0:
                share = (search + step / config.steps) / config.searches
                progress(share, f"CEM: search {search + 1} of {config.searches}, step {step}")
            logits, gradient = differentiated(classifier, ahead, loss)
            own = excess(logits, target)
            change = ahead - images
            far = config.beta * change.abs().flatten(1).sum(dim=1) + _squared(change)
            reached = (own >= config.kappa) & (logits.argmax(dim=1) == target)
            hit |= reached
            nearer = reached & (far < distance)
            # Until something succeeds, the picture of the largest margin stands in.
            take = nearer | (~reached & distance.isinf() & (own > margin))
            best[take], distance[nearer] = ahead[take], far[nearer]
            margin = torch.maximum(margin, own)
            rate = config.rate * (1 - step / config.steps) ** 0.5
            moved = _within(images, _shrunk(change - rate * gradient, rate, config), config)
            ahead = _within(images, moved + (step + 1) / (step + 4) * (moved - last) - images, config)
            last = moved
        weight, low, high = _next(weight, low, high, hit)
    return best, distance.isfinite()


def excess(logits: Tensor, target: int) -> Tensor:
    """(n,) l_t less the largest other logit."""
    others = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=1)
    return logits[:, target] - others.amax(dim=1)


def _squared(change: Tensor) -> Tensor:
    return change.square().flatten(1).sum(dim=1)


def _shrunk(change: Tensor, rate: float, config: CEMConfig) -> Tensor:
    less = config.beta if config.shrink == "published" else rate * config.beta
    return change.sign() * (change.abs() - less).relu()


def _within(images: Tensor, change: Tensor, config: CEMConfig) -> Tensor:
    if config.change == "add":
        change = change.relu()
    return (images + change).clamp(0, 1)


def _next(weight: Tensor, low: Tensor, high: Tensor, hit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    high = torch.where(hit, torch.minimum(high, weight), high)
    low = torch.where(hit, low, torch.maximum(low, weight))
    return torch.where(high < MOST / 10, (low + high) / 2, torch.where(hit, weight, 10 * weight)), low, high
