"""Planted lesions: irregular blobs with soft borders that follow the tissue they lie in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from cfcore.images.phantom.anatomy import stream

from .subject import FIELD_OF_VIEW, LESION, TEXTURE, Array, Subject, smooth_field

RADII = (7.0, 20.0)  # mm, of a disc of the same area; drawn evenly over the logarithm
BRIGHT_SHARE = 0.7
FLUID, SOLID = 0.22, 0.45  # brightness below which tissue counts as fluid, above which as solid
PLACES = 64  # pixels a side of the grid on which a place is chosen, at every size of the picture


@dataclass(frozen=True)
class Lesion:
    """One lesion.

    kind: "bright" as with contrast agent, "dark" as oedema or scar on T1.
    centre: across and down, shares of the picture's side.
    radius: mm; stretch: longest over mean axis; angle: of the longest axis in radians.
    waves: amplitudes and phases of the outline's waves 2 to 6, shares of the radius and radians.
    border: width of the soft border, share of the radius.
    target: brightness that tissue is drawn to (white matter 0.8); strength: how far, 0 to 1.
    """

    kind: Literal["bright", "dark"]
    centre: tuple[float, float]
    radius: float
    stretch: float
    angle: float
    waves: tuple[tuple[float, float], ...]
    border: float
    target: float
    strength: float


def solid(tissue: Array) -> Array:
    """0 to 1: how much of a point is grey or white matter rather than fluid or air."""
    x = np.clip((tissue - FLUID) / (SOLID - FLUID), 0.0, 1.0)
    step: Array = x * x * (3.0 - 2.0 * x)
    return step


def draw_lesion(subject: Subject, places: Array) -> Lesion:
    """The lesion of a subject.

    Args:
        subject: gives the seed.
        places: (64, 64) tissue of the slice, from which the centre is chosen.

    Raises:
        ValueError: no tissue to lie in.
    """
    r = stream(subject.seed, LESION)
    dice, normal = r.random(8), np.clip(r.standard_normal(16), -2.3, 2.3)
    radius = float(RADII[0] * (RADII[1] / RADII[0]) ** dice[0])
    near = 1 + 2 * round(0.5 * radius / (FIELD_OF_VIEW / PLACES))
    around = ndimage.uniform_filter(solid(places), near)
    where = np.argwhere(around >= min(0.85, float(around.max())))
    if not around.max() > 0.3:
        raise ValueError("the slice has no tissue for a lesion: the template's brain does not reach it")
    row, column = where[int(dice[1] * len(where))] + r.random(2)
    bright = bool(dice[2] < BRIGHT_SHARE)
    waves = tuple((float(0.22 * abs(normal[k]) / k), float(2 * np.pi * r.random())) for k in range(2, 7))
    return Lesion(
        kind="bright" if bright else "dark",
        centre=(float(column / PLACES), float(row / PLACES)),
        radius=radius,
        stretch=float(1.0 + 0.7 * dice[3]),
        angle=float(np.pi * dice[4]),
        waves=waves,
        border=float(0.20 + 0.30 * dice[5]),
        target=float(1.22 + 0.06 * normal[0] if bright else 0.28 + 0.05 * normal[0]),
        strength=float(0.60 + 0.38 * dice[6]),
    )


def weight(lesion: Lesion, subject: Subject, tissue: Array) -> Array:
    """(fine, fine) 0 to 1: how much of the lesion's brightness each point takes; 0 in fluid and outside the brain."""
    fine = len(tissue)
    at = (np.arange(fine) + 0.5) / fine
    r = stream(subject.seed, TEXTURE, 1)
    wobble = 0.16 * lesion.radius / FIELD_OF_VIEW
    x = at[None, :] - lesion.centre[0] + wobble * smooth_field(r, 24, fine)
    y = at[:, None] - lesion.centre[1] + wobble * smooth_field(r, 24, fine)
    c, s = np.cos(lesion.angle), np.sin(lesion.angle)
    u, v = (c * x + s * y) / np.sqrt(lesion.stretch), (-s * x + c * y) * np.sqrt(lesion.stretch)
    angle = np.arctan2(v, u)
    outline = 1.0 + sum(a * np.cos(k * angle + phase) for k, (a, phase) in enumerate(lesion.waves, 2))
    reach = np.hypot(u, v) * FIELD_OF_VIEW / lesion.radius
    inside = np.clip(0.5 + (outline - reach) / (2.0 * lesion.border), 0.0, 1.0)
    patchy = np.clip(1.0 + 0.18 * smooth_field(r, 32, fine), 0.4, 1.0)
    result: Array = inside * inside * (3.0 - 2.0 * inside) * patchy * solid(tissue)
    return result
