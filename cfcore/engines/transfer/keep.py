"""What lies over the picture and is no anatomy: side markers, lettering, metal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

Bool = npt.NDArray[np.bool_]
WIDEST, STROKE = 0.09, 0.018  # of the image's side: a pacemaker has about 0.08, a lead or a letter's stroke 0.006
WORKED_AT = 512
# Thin things: brightness that an opening by a stroke's width takes away; a piece begins at `WEAK`, some is `STRONG`.
THIN_WEAK, THIN_STRONG, THIN_SLOPE = 0.08, 0.18, 0.07
# Plates: brightness above the surroundings, near the image's white, and how steep their outline is.
PLATE, NEAR_WHITE, PLATE_SLOPE = 0.30, 0.80, 0.09
LEAST_AREA = 8  # px
LEAST_SIDE = 128  # px: below, letters are smears
COLLAR = 2  # px at WORKED_AT
BLACK = 5 / 255


def keep_mask(images: Tensor) -> Tensor:
    """Letters and metal in images: bright, and sharply outlined on all sides.

    Two white top-hats (image minus its grey opening by a square) at about 512 px a side: a small square finds strokes
    and leads, a large one plates. A connected piece is taken when it stands out and its outline rises steeply; so ribs
    (dim and soft), spine and over-exposed regions (wide, soft) are not.

    Args:
        images: (n, channels, H, W) in [0, 1].

    Returns:
        (n, 1, H, W) bool, all False for images of less than 128 px a side, which no letter survives.
    """
    if images.dim() != 4:
        return torch.zeros(len(images), 1, *images.shape[2:], dtype=torch.bool, device=images.device)
    rows = [_found(image.mean(dim=0).detach().cpu().numpy()) for image in images]
    return torch.from_numpy(np.stack(rows))[:, None].to(images.device)


def _found(image: npt.NDArray[np.float32]) -> Bool:
    if min(image.shape) < LEAST_SIDE:
        return np.zeros(image.shape, dtype=bool)
    factor = max(1, round(max(image.shape) / WORKED_AT))
    small = _shrunk(image, factor)
    slope = ndimage.gaussian_gradient_magnitude(small, 0.7)
    thin = _above(small, STROKE)
    found = _pieces(thin > THIN_WEAK, thin, THIN_STRONG, slope, THIN_SLOPE)
    plates = (_above(small, WIDEST) > PLATE) & (small > NEAR_WHITE * np.quantile(small, 0.999))
    found |= _pieces(plates, small, 0.0, slope, PLATE_SLOPE)
    found = ndimage.binary_dilation(found)
    out = np.zeros(image.shape, dtype=bool)
    big = np.kron(found, np.ones((factor, factor), dtype=bool))
    out[: big.shape[0], : big.shape[1]] = big
    return out


def _above(image: npt.NDArray[np.float32], width: float) -> npt.NDArray[np.float32]:
    side = max(3, int(width * max(image.shape))) | 1
    opened: npt.NDArray[np.float32] = ndimage.maximum_filter(ndimage.minimum_filter(image, side), side)
    return image - opened


def _pieces(
    mask: Bool,
    height: npt.NDArray[np.float32],
    highest: float,
    slope: npt.NDArray[np.float32],
    steepest: float,
) -> Bool:
    """Connected pieces whose `height` reaches `highest` and whose outline has a mean slope of `steepest` or more."""
    labels, n = ndimage.label(mask, np.ones((3, 3)))
    if n == 0:
        return mask
    index = np.arange(1, n + 1)
    outline = np.where(mask & ~ndimage.binary_erosion(mask), labels, 0)
    taken = np.zeros(n + 1, dtype=bool)
    taken[1:] = (
        (ndimage.sum_labels(mask, labels, index) >= LEAST_AREA)
        & (ndimage.maximum(height, labels, index) >= highest)
        & (np.nan_to_num(ndimage.mean(slope, outline, index)) >= steepest)
    )
    return taken[labels]


def surround(images: Tensor) -> Tensor:
    """The black around the picture, (n, 1, H, W) bool: padding, collimator, air.

    What is connected with the picture's edge and, smoothed against noise, no brighter than 5 of 255. A generator that
    shifts the field's edge by a pixel would draw a bar there.
    """
    rows = []
    for image in images:
        light = image.amax(dim=0).detach().cpu().numpy()
        blur = 1 + 4 * round(max(light.shape) / WORKED_AT)
        labels, n = ndimage.label(ndimage.uniform_filter(light, blur, mode="nearest") <= BLACK)
        at_edge = np.zeros(n + 1, dtype=bool)
        for line in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            at_edge[line] = True
        at_edge[0] = False
        rows.append(at_edge[labels])
    return torch.from_numpy(np.stack(rows))[:, None].to(images.device)


def _shrunk(image: npt.NDArray[np.float32], factor: int) -> npt.NDArray[np.float32]:
    h, w = (s // factor * factor for s in image.shape)
    return image[:h, :w].reshape(h // factor, factor, w // factor, factor).mean(axis=(1, 3))


def fill(images: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """Images (n, c, H, W) with the kept regions painted over from around, and the mask's collar (n, 1, H, W) bool.

    Painting: normalised averages over growing squares, the smallest that reaches the outside wins.
    """
    if not keep.any():
        return images, keep
    factor = -(-max(images.shape[2:]) // WORKED_AT)
    reach = COLLAR * factor
    collar = functional.max_pool2d(keep.float(), 2 * reach + 1, 1, reach) > 0
    known = (~collar).to(images.dtype)
    small = [-(-s // factor) for s in images.shape[2:]]
    weight, light = (functional.interpolate(t, small, mode="area") for t in (known, images * known))
    painted, missing = torch.zeros_like(light), torch.ones_like(weight, dtype=torch.bool)
    radius = 2 * COLLAR
    while missing.any() and radius < WORKED_AT:
        share = _box(weight, radius)
        near = missing & (share > 0.15)
        painted = torch.where(near, _box(light, radius) / share.clamp_min(1e-6), painted)
        missing &= ~near
        radius *= 2
    back = functional.interpolate(painted, tuple(images.shape[2:]), mode="bilinear", align_corners=False)
    return torch.where(collar, back, images), collar


def _box(images: Tensor, radius: int) -> Tensor:
    side = 2 * radius + 1
    rows = functional.avg_pool2d(images, (side, 1), 1, (radius, 0), count_include_pad=False)
    return functional.avg_pool2d(rows, (1, side), 1, (0, radius), count_include_pad=False)
