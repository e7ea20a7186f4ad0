"""The smooth, invertible deformation between two small pictures (log-domain demons)."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

# Chosen on oracle pairs of phantoms (docs/methods/detail-transfer.md), in pixels of the small pictures.
FLUID, ELASTIC = 1.5, 0.7
COARSEST, FINEST = 16, 128
ITERATIONS = 15
WINDOWS = (4.0, 3.0, 1.5)  # of the local contrast, from the coarsest level to the last ones
CONTRAST_FLOOR = 0.04
LONGEST_STEP = 0.5
LEAST_JACOBIAN = 0.15


def register(moving: Tensor, fixed: Tensor) -> Tensor:
    """Stationary velocity field v such that moving(exp(v)(p)) is close to fixed(p).

    Log-domain demons (Vercauteren et al., MICCAI 2008) with the efficient second-order force, from coarse to fine, on
    pictures normalised to zero mean and unit spread in a window, so that a region that only brightens does not move
    (the idea of Lorenzi et al., LCC-Demons, NeuroImage 2013).

    Args:
        moving, fixed: (n, 1, h, w) in [0, 1].

    Returns:
        (n, 2, H, W) velocities (x, y) in pixels of their own grid, which is at least as fine as h x w; 0 at the
        border of the picture, so that nothing enters or leaves it. exp(v) has a positive Jacobian everywhere.
    """
    size = tuple(moving.shape[2:])
    velocity = torch.zeros(len(moving), 2, *size, dtype=moving.dtype, device=moving.device)
    for level, scale in enumerate(_scales(min(size))):
        window = WINDOWS[min(level, len(WINDOWS) - 1)]
        fine = max(scale, 1.0)
        small = tuple(max(8, round(s * scale)) for s in size)
        m, f = (_at(local_contrast(t, window), small) for t in (moving, fixed))
        slope_f, held = gradient(f), border_window(small, m, 3.0 * fine)
        velocity = resample_field(velocity, small)
        for _ in range(ITERATIONS):
            warped = warp(m, exponential(velocity))
            apart, slope = f - warped, 0.5 * (slope_f + gradient(warped))
            step = apart * slope / (slope.square().sum(dim=1, keepdim=True) + (apart / fine).square() + 1e-4)
            longest = LONGEST_STEP * fine
            step = step * (longest / step.norm(dim=1, keepdim=True).clamp_min(1e-9)).clamp(max=1.0)
            velocity = gaussian(velocity + gaussian(step, FLUID * fine), ELASTIC * fine) * held
    return unfolded(velocity)


def _scales(side: int) -> list[float]:
    """Sizes of the levels as shares of the pictures': from `COARSEST` pixels up, twice the pictures' for small ones."""
    scales = [1.0]
    while side * scales[0] / 2 >= COARSEST:
        scales.insert(0, scales[0] / 2)
    return [*scales, 2.0] if 2 * side <= FINEST else scales


def _at(images: Tensor, size: tuple[int, ...]) -> Tensor:
    if images.shape[2] >= size[0]:
        return functional.interpolate(images, size, mode="area")
    return functional.interpolate(images, size, mode="bicubic", align_corners=False)


def unfolded(velocity: Tensor) -> Tensor:
    """The field, weakened per picture until the Jacobian of its flow is nowhere below `LEAST_JACOBIAN`.

    In theory the flow of a smooth field never folds; sampled on a grid, a steep one can.
    """
    velocity = velocity.clone()
    for _ in range(20):
        least = jacobian(exponential(velocity)).amin(dim=(1, 2))
        steep = least < LEAST_JACOBIAN
        if not steep.any():
            break
        velocity[steep] = gaussian(velocity[steep], 1.0) * 0.95
    return velocity


def exponential(velocity: Tensor) -> Tensor:
    """(n, 2, h, w) displacement u of the flow's time-1 map p + u(p), by scaling and squaring (Arsigny et al., MICCAI
    2006)."""
    longest = float(velocity.abs().max()) if velocity.numel() else 0.0
    squarings = max(1, math.ceil(math.log2(max(longest, 1e-6) / 0.25)))
    u = velocity / 2**squarings
    for _ in range(squarings):
        u = u + warp(u, u, mode="bilinear")
    return u


def warp(images: Tensor, displacement: Tensor, *, mode: str = "bicubic") -> Tensor:
    """Images (n, c, h, w) read at p + u(p), u (n, 2, h, w) in pixels (x, y); outside, the border pixel goes on."""
    h, w = images.shape[2:]
    scale = torch.tensor([2 / w, 2 / h], dtype=images.dtype, device=images.device)
    grid = identity_grid(h, w, images.dtype, images.device) + displacement.permute(0, 2, 3, 1) * scale
    return functional.grid_sample(images, grid, mode=mode, padding_mode="border", align_corners=False)


def resample_field(field: Tensor, size: tuple[int, ...]) -> Tensor:
    """A field (n, 2, h, w) of pixels at another size, in that size's pixels."""
    h, w = field.shape[2:]
    if (h, w) == tuple(size):
        return field
    scale = torch.tensor([size[1] / w, size[0] / h], dtype=field.dtype, device=field.device)
    return _at(field, tuple(size)) * scale[:, None, None]


def jacobian(displacement: Tensor) -> Tensor:
    """(n, h - 1, w - 1) determinant of the Jacobian of p + u(p) by forward differences; 0 or less is a fold."""
    dx = displacement[:, :, :-1, 1:] - displacement[:, :, :-1, :-1]
    dy = displacement[:, :, 1:, :-1] - displacement[:, :, :-1, :-1]
    return (1 + dx[:, 0]) * (1 + dy[:, 1]) - dx[:, 1] * dy[:, 0]


def local_contrast(images: Tensor, window: float) -> Tensor:
    """Images minus their local mean, over their local spread (and a floor, lest noise is blown up)."""
    rest = images - gaussian(images, window)
    return rest / (gaussian(rest.square(), window) + CONTRAST_FLOOR**2).sqrt()


def gradient(images: Tensor) -> Tensor:
    """(n, 2, h, w) central differences (x, y) of (n, 1, h, w)."""
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    dx = 0.5 * (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2])
    dy = 0.5 * (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1])
    return torch.cat([dx, dy], dim=1)


def gaussian(images: Tensor, sigma: float) -> Tensor:
    """Gaussian smoothing of (n, c, h, w); the border pixel goes on outside."""
    reach = max(1, math.ceil(3 * sigma))
    offsets = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-0.5 * (offsets / sigma).square())
    kernel = kernel / kernel.sum()
    c = images.shape[1]
    padded = functional.pad(images, (reach,) * 4, mode="replicate")
    padded = functional.conv2d(padded, kernel.view(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c)
    return functional.conv2d(padded, kernel.view(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c)


def smoothstep(t: Tensor) -> Tensor:
    """0 below 0, 1 above 1, smooth in between."""
    t = t.clamp(0, 1)
    return t * t * (3 - 2 * t)


def border_window(size: tuple[int, ...], like: Tensor, reach: float) -> Tensor:
    """(1, 1, h, w): 0 at the picture's border, 1 from `reach` pixels inside."""
    ramps = []
    for n in size:
        place = torch.arange(n, dtype=like.dtype, device=like.device)
        ramps.append(smoothstep(torch.minimum(place, n - 1 - place) / reach))
    return (ramps[0][:, None] * ramps[1][None, :])[None, None]


@lru_cache(maxsize=8)
def identity_grid(h: int, w: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(1, h, w, 2) places (x, y) of the pixels' centres in grid_sample's coordinates."""
    y = (torch.arange(h, dtype=dtype, device=device) + 0.5) * (2 / h) - 1
    x = (torch.arange(w, dtype=dtype, device=device) + 0.5) * (2 / w) - 1
    return torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]), dim=-1)[None]
