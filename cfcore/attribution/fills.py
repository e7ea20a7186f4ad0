"""What stands in the place of pixels that are taken out of an image."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import splu
from torch import Tensor
from torch.nn import functional

from .names import FILLS, Fill

Order = Literal["value", "size"]

BLUR = 1 / 16  # standard deviation as a share of the shorter side: 4 px of 64; at least one pixel
NOISE_SEED = 1


def top_pixels(attribution: Tensor, share: float | Tensor, by: Order = "value") -> Tensor:
    """(n, 1, *size) bool: the round(share * pixels) pixels that matter most, exactly so many.

    Pixels of equal attribution come in reading order (the last axis fastest).

    Args:
        attribution: (n, 1, *size). share: in [0, 1], one number or (n,).
        by: "value": the largest first, so that negative pixels come last. "size": the largest without their sign.

    Raises:
        ValueError: a share outside [0, 1], or an attribution that is not finite or has several channels.
    """
    if attribution.ndim < 3 or attribution.shape[1] != 1:
        raise ValueError(f"the attribution is {tuple(attribution.shape)}, expected (n, 1, *size)")
    flat = attribution.flatten(1)
    if not flat.isfinite().all():
        raise ValueError("the attribution holds values that are not finite, so its pixels have no order")
    shares = torch.as_tensor(share, dtype=torch.float64, device=flat.device).expand(len(flat))
    if ((shares < 0) | (shares > 1)).any():
        raise ValueError(f"share is {shares.tolist()}: choose a share of the pixels from 0 to 1")
    order = (flat.abs() if by == "size" else flat).argsort(dim=1, descending=True, stable=True)
    places = torch.arange(flat.shape[1], device=flat.device).expand_as(order)
    rank = torch.empty_like(order).scatter_(1, order, places)
    counts = (shares * flat.shape[1]).round()
    return (rank < counts[:, None]).view(attribution.shape)


def replace_top(
    images: Tensor, attribution: Tensor, share: float | Tensor, fill: Fill = "mean", *, by: Order = "value"
) -> Tensor:
    """(n, channels, *size): images whose top share of pixels is filled; seed 001, section 4.1 (fill "mean").

    Args:
        images: (n, channels, *size) in [0, 1]. attribution: (n, 1, *size). share, by: as for `top_pixels`.

    Raises:
        ValueError: as `top_pixels`; an unknown fill; an attribution of another size than the images.
    """
    if attribution.shape[2:] != images.shape[2:] or len(attribution) != len(images):
        raise ValueError(
            f"the attribution is {tuple(attribution.shape)}, the images are {tuple(images.shape)}: "
            "attribute at the images' own size"
        )
    return filled(images, top_pixels(attribution, share, by), fill)


def filled(images: Tensor, mask: Tensor, fill: Fill) -> Tensor:
    """(n, channels, *size): images with the pixels of (n, 1, *size) `mask` filled; the others stay bit for bit."""
    if fill == "inpaint":
        return torch.where(mask, _harmonic(images, mask), images)
    return torch.where(mask, paint(images, fill), images)


def paint(images: Tensor, fill: Fill) -> Tensor:
    """(n, channels, *size): whole images of a fill, for all but "inpaint", which needs to know the pixels.

    "mean": each image's own mean. "blur": Gaussian of a sixteenth of the shorter side, at least 1 px. "noise": mean +
    sd * pattern of each image's own mean and spread, clamped to [0, 1]; the same normal pattern in every image.

    Raises:
        ValueError: an unknown fill, or "inpaint".
    """
    every = tuple(range(1, images.ndim))
    if fill == "mean":
        return images.mean(dim=every, keepdim=True).expand_as(images)
    if fill == "black":
        return torch.zeros_like(images)
    if fill == "white":
        return torch.ones_like(images)
    if fill == "blur":
        return _blurred(images, max(1.0, BLUR * min(images.shape[2:])))
    if fill == "noise":
        pattern = torch.randn((1, 1, *images.shape[2:]), generator=torch.Generator().manual_seed(NOISE_SEED))
        spread = images.std(dim=every, keepdim=True, correction=0)
        return (images.mean(dim=every, keepdim=True) + spread * pattern.to(images)).clamp(0, 1).expand_as(images)
    if fill == "inpaint":
        raise ValueError("inpainting needs to know the pixels: use filled or replace_top")
    raise ValueError(f"no fill {fill!r}; choose one of: {', '.join(FILLS)}")


def _blurred(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, one axis after the other; the border pixels go on beyond the border."""
    radius = math.ceil(3 * sigma)
    place = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = (-place.square() / (2 * sigma**2)).exp()
    kernel = (kernel / kernel.sum()).view(1, 1, -1)
    for axis in range(2, images.ndim):
        turned = images.movedim(axis, -1)
        rows = functional.pad(turned.reshape(-1, 1, turned.shape[-1]), (radius, radius), mode="replicate")
        images = functional.conv1d(rows, kernel).view(turned.shape).movedim(-1, axis)
    return images


def _harmonic(images: Tensor, mask: Tensor) -> Tensor:
    """Every masked pixel the mean of its neighbours (discrete Laplace equation, solved exactly); where all pixels are
    masked, the image's mean."""
    out = images.detach().cpu().double().clone()
    for image, hidden in zip(out, mask[:, 0].cpu().numpy(), strict=True):
        if hidden.all():
            image.fill_(image.mean())
        elif hidden.any():
            values = image.numpy()
            values[:, hidden] = _solved(values, hidden)
    return out.to(images)


def _solved(values: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """(channels, hidden pixels) that solve the Laplace equation between the pixels of `values` that stay."""
    number = np.full(hidden.shape, -1)
    number[hidden] = np.arange(hidden.sum())
    n = int(hidden.sum())
    neighbours, right = np.zeros(n), np.zeros((n, len(values)))
    rows, columns = [], []
    for axis in range(hidden.ndim):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(hidden.ndim))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(hidden.ndim))
        for here, there in ((low, high), (high, low)):
            inside = number[here][hidden[here]]
            beside = number[there][hidden[here]]
            np.add.at(neighbours, inside, 1)
            shown = beside < 0
            np.add.at(right, inside[shown], values[(slice(None), *there)][:, hidden[here]][:, shown].T)
            rows.append(inside[~shown])
            columns.append(beside[~shown])
    row, column = np.concatenate(rows), np.concatenate(columns)
    links = sparse.coo_matrix((np.ones(len(row)), (row, column)), shape=(n, n))
    return splu((sparse.diags(neighbours) - links).tocsc()).solve(right).T
