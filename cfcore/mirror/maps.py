"""The last feature maps of a point on the way, and where class activation maps let the picture change."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.classifiers.base import resize


def moved_maps(maps: Tensor, step: Tensor, k: Tensor) -> Tensor:
    """(n, d, *places) A_k = A + k step, the same at every place, so that its mean over places is z_k (Eq. 15 to 17).
    Not clamped: values below 0 are part of the point.

    Args:
        maps: (n, d, *places) A. step: (n, d) of `step_of`. k: (n,).
    """
    shift = k[:, None] * step
    return maps + shift.reshape(*shift.shape, *(1 for _ in maps.shape[2:]))


def class_maps(maps: Tensor, weight: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """(n, 2, *places) class activation maps W A of source and target, each scaled to [0, 1] by its least and greatest.

    The same for A and every A_k: a shift of all places alike is lost in the scaling. A row of W that is all zero, as
    a head with one logit has for its negative class, names no place; the rows are then taken less their mean, which
    leaves the softmax as it is. A map that is the same everywhere is 1 everywhere: it shuts no place.

    Args:
        maps: (n, d, *places). weight: (classes, d). source, target: (n,).
    """
    if (weight == 0).all(dim=1).any():
        weight = weight - weight.mean(dim=0)
    rows = torch.stack([weight[source], weight[target]], dim=1)
    flat = torch.einsum("ncd,ndp->ncp", rows, maps.flatten(2))
    low, high = flat.amin(dim=2, keepdim=True), flat.amax(dim=2, keepdim=True)
    spread = high - low
    even = spread <= 1e-6 * high.abs().clamp_min(1e-6)
    scaled = torch.where(even, torch.ones_like(flat), (flat - low) / spread.clamp_min(1e-12))
    return scaled.reshape(*flat.shape[:2], *maps.shape[2:])


def threshold(k: Tensor, upper: float, lower: float) -> Tensor:
    """tau(k), falling in a straight line from `upper` at k = 0 to `lower` at k = 1, so that more may change."""
    return upper - k * (upper - lower)


def prior_mask(class_maps: Tensor, tau: Tensor, size: tuple[int, ...]) -> Tensor:
    """(n, 1, *size) 1 where the picture may change: CAM_s >= tau or CAM_t >= tau (Eq. 13), else 0.

    Args:
        class_maps: (n, 2, *places) of `class_maps`, brought to `size` before they are compared. tau: (n,).
    """
    maps = resize(class_maps, size)
    return (maps.amax(dim=1, keepdim=True) >= tau.reshape(-1, *(1 for _ in maps.shape[1:]))).to(maps)
