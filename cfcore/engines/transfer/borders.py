"""Where a border moves between two small pictures, which way it runs, and averages along it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .deformation import gaussian, gradient, identity_grid, smoothstep

REACH, STEPS = 3.0, 12  # pixels of the small pictures to either side, and into how many steps they are cut


def old_border(before: Tensor, after: Tensor) -> Tensor:
    """(n, 1, h, w) in [0, 1]: where `before` (n, 1, h, w) has a border that is gone in `after`.

    A border that has gone leaves its own gradient, turned round, in the difference: -grad(before) . grad(after -
    before) is large there, 0 at a border that stays and negative nowhere that matters. Its root is a brightness step
    a pixel; the band starts at 0.03 and is full at 0.08.
    """
    first, change = gradient(gaussian(before, 0.7)), gradient(gaussian(after - before, 0.7))
    step = (-(first * change).sum(dim=1, keepdim=True)).clamp(min=0).sqrt()
    step = gaussian(functional.max_pool2d(step, 3, 1, 1), 1.0)
    return smoothstep((step - 0.03) / 0.05)


def orientation(change: Tensor) -> Tensor:
    """(n, 3, h, w): structure tensor (xx, xy, yy) of a change (n, 1, h, w). What does not move is not in it."""
    x, y = gradient(gaussian(change, 1.0)).split(1, dim=1)
    return gaussian(torch.cat([x * x, x * y, y * y], dim=1), 1.5)


def mean_along(images: Tensor, tensor: Tensor, where: Tensor) -> Tensor:
    """Images averaged along the moving border: what runs along it stays, what crosses it (ribs, vessels) goes.

    Line integrals with Gaussian weights over the curves that follow the weaker eigenvector of the structure tensor.

    Args:
        images: (n, c, H, W). tensor: (n, 3, h, w) of `orientation`, at any size. where: (n, 1, H, W) bool.

    Returns:
        (n, c, H, W), 0 outside of `where`.
    """
    h, w = images.shape[2:]
    places = identity_grid(h, w, images.dtype, images.device)[0]
    out = torch.zeros_like(images)
    for i in range(len(images)):
        inside = where[i, 0]
        if inside.any():
            out[i][:, inside] = _mean_at(images[i : i + 1], tensor[i : i + 1], places[inside])
    return out


def _mean_at(image: Tensor, tensor: Tensor, places: Tensor) -> Tensor:
    """(c, N) means along the curves through (N, 2) places."""
    pixel = torch.tensor([2 / tensor.shape[3], 2 / tensor.shape[2]], dtype=places.dtype, device=places.device)
    stride = REACH / STEPS * pixel
    total, weights = _read(image, places), 1.0
    for side in (1.0, -1.0):
        place, heading = places, side * _tangent(tensor, places)
        for k in range(1, STEPS + 1):
            ahead = _tangent(tensor, place + 0.5 * stride * heading)
            # A tangent has no sign: go on, do not turn back.
            heading = ahead * torch.where((ahead * heading).sum(dim=1, keepdim=True) < 0, -1.0, 1.0)
            place = place + stride * heading
            weight = math.exp(-2 * (k / STEPS) ** 2)
            total, weights = total + weight * _read(image, place), weights + weight
    return total / weights


def _tangent(tensor: Tensor, places: Tensor) -> Tensor:
    xx, xy, yy = _read(tensor, places)
    angle = 0.5 * torch.atan2(2 * xy, xx - yy)
    return torch.stack([-angle.sin(), angle.cos()], dim=1)


def _read(image: Tensor, places: Tensor) -> Tensor:
    """(c, N) values of one image (1, c, h, w) at (N, 2) places."""
    grid = places[None, None]
    return functional.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)[0, :, 0]
