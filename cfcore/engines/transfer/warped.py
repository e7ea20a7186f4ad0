"""Warped detail transfer: borders that move are carried along."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import resize

from .additive import upsample
from .borders import mean_along, old_border, orientation
from .deformation import exponential, gaussian, local_contrast, register, resample_field, smoothstep, warp
from .keep import fill, keep_mask, surround

SIGNIFICANT = (0.5 / 255, 2.0 / 255)  # brightness: below the first nothing is changed, from the second on all
LEAST_SIDE = 16


@dataclass(frozen=True)
class Motion:
    """What moves between two small pictures.

    Attributes:
        displacement: (n, 2, h, w), border reads from p + u(p), in pixels (x, y) of its own grid.
        band: (n, 1, h', w') in [0, 1], the old border, as far as the deformation explains its change.
        tangents: (n, 3, h', w') structure tensor of the change.
    """

    displacement: Tensor
    band: Tensor
    tangents: Tensor


def motion(reconstruction: Tensor, counterfactual: Tensor) -> Motion:
    """Estimate what moves between (n, 1, h, w) pictures G(w) and G(w + d v).

    Both are averaged along the moving borders first: ribs that cross a border stay where they are, and would hold the
    estimate back.
    """
    tangents = orientation(counterfactual - reconstruction)
    everywhere = torch.ones_like(reconstruction, dtype=torch.bool)
    before, after = (mean_along(t, tangents, everywhere) for t in (reconstruction, counterfactual))
    displacement = exponential(register(before, after))
    band = old_border(reconstruction, counterfactual)
    return Motion(displacement, band * _explained(before, after, displacement), tangents)


def _explained(before: Tensor, after: Tensor, displacement: Tensor) -> Tensor:
    """(n, 1, h, w) in [0, 1]: at the old border, how well the border is found again where it is said to have gone.

    Local correlation of the contrast there against the contrast here; a border that was covered up (fluid, an
    infiltrate) went nowhere.
    """
    size = tuple(before.shape[2:])
    u = resample_field(displacement, size)
    first, second = local_contrast(before, 1.5), local_contrast(after, 1.5)
    apart = (warp(first, u) - second).square()
    still = (first - second).square()
    gain = 1 - (gaussian(apart, 1.5) + 0.02) / (gaussian(still, 1.5) + 0.02)
    # Known at the new border; the old one is where the inverse leads, to first order -u.
    return gaussian(smoothstep((warp(gain, -u, mode="bilinear") - 0.2) / 0.4), 1.0)


def warped(source: Tensor, reconstruction: Tensor, counterfactual: Tensor, keep: Tensor | None = None) -> Tensor:
    """x' = x + c + (E o phi - E) + (k - 1) (r - E), composed with x by significance, keep masks put back.

    c = upsample(G(w + d v) - G(w)) is the additive change and r = x - upsample(G(w)) the source's detail. E is the part
    of r that runs along a moving border: phi carries it from the old border to the new one, while ribs and vessels
    that cross it stay. k is the ratio of the film curve's slopes I (1 - I) after and before: detail under a denser
    shadow has less contrast.

    Args:
        source: (n, channels, H, W) in [0, 1].
        reconstruction, counterfactual: G(w), G(w + d v): (n, channels, h, w) in [0, 1], at least 16 px a side.
        keep: (n, 1, H, W) bool, what stays as it is in the source, byte for byte. None: letters and metal, found by
            `keep_mask`. The black around the picture stays in any case.

    Returns:
        (n, channels, H, W) in [0, 1]; equal to the source, byte for byte, where nothing significant changes.

    Raises:
        ValueError: images that are not 2D or too small, or a mask of another size.
    """
    _check(source, reconstruction, counterfactual, keep)
    size, small = tuple(source.shape[2:]), tuple(reconstruction.shape[2:])
    keep = keep_mask(source) if keep is None else keep.to(source.device).bool()
    ground, collar = fill(source, keep)
    before, after = reconstruction.mean(dim=1, keepdim=True), counterfactual.mean(dim=1, keepdim=True)
    moved = motion(before, after)
    change, detail = upsample(counterfactual - reconstruction, size), ground - upsample(reconstruction, size)
    band = upsample(moved.band, size).clamp(0, 1)
    edge = mean_along(detail, moved.tangents, band > 1 / 255) * band
    carried = warp(edge, resample_field(moved.displacement, size))
    result = ground + change + carried - edge + (_slopes(ground, change, small) - 1) * (detail - edge)
    # Letters and metal lie over the picture: their collar is added to whatever is under it now.
    result = (torch.where(collar, result + (source - ground), result)).clamp(0, 1)
    result = source + _significant(counterfactual - reconstruction, carried - edge, size) * (result - source)
    return torch.where(keep | surround(source), source, result)


def _slopes(ground: Tensor, change: Tensor, small: tuple[int, ...]) -> Tensor:
    """Ratio of the film curve's slopes I (1 - I) after and before a change, 0.3 to 2; brightness I at size `small`."""
    old = upsample(resize(ground, small), tuple(ground.shape[2:])).clamp(0.02, 0.98)
    new = (old + change).clamp(0.02, 0.98)
    return (new * (1 - new) / (old * (1 - old))).clamp(0.3, 2.0)


def _significant(change: Tensor, carried: Tensor, size: tuple[int, ...]) -> Tensor:
    """(n, 1, *size) weight of the result: 0 where the change is less than half a grey level of 255."""
    low, high = SIGNIFICANT
    most = functional.max_pool2d(change.abs().amax(dim=1, keepdim=True), 3, 1, 1)
    weight = upsample(smoothstep((gaussian(most, 1.0) - low) / (high - low)), size).clamp(0, 1)
    weight = torch.where(weight < 1e-3, torch.zeros_like(weight), weight)
    moving = smoothstep((carried.abs().amax(dim=1, keepdim=True) - low) / (high - low))
    return torch.maximum(weight, moving)


def _check(source: Tensor, reconstruction: Tensor, counterfactual: Tensor, keep: Tensor | None) -> None:
    if source.dim() != 4:
        raise ValueError(
            f"warped transfer is for 2D images (n, channels, height, width), not {tuple(source.shape)}: "
            'choose the rendering "detail transfer" or "plain"'
        )
    if reconstruction.shape != counterfactual.shape or reconstruction.shape[:2] != source.shape[:2]:
        raise ValueError(
            f"reconstruction {tuple(reconstruction.shape)} and counterfactual {tuple(counterfactual.shape)} must be "
            f"alike, with as many images and channels as the source {tuple(source.shape)}"
        )
    if min(reconstruction.shape[2:]) < LEAST_SIDE:
        raise ValueError(
            f"the generator's pictures are {tuple(reconstruction.shape[2:])} px, too small to estimate a motion "
            f'(at least {LEAST_SIDE}): choose the rendering "detail transfer"'
        )
    if keep is not None and keep.shape != (len(source), 1, *source.shape[2:]):
        raise ValueError(f"the keep mask is {tuple(keep.shape)}, it must be {(len(source), 1, *source.shape[2:])}")
