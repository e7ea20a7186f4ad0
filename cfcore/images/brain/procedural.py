"""A brain from formulas, for where no template is at hand: plain shapes, but every tissue in its place."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .template import Template, prepare

PITCH = 1.5  # mm
WHITE_MATTER, GREY, DEEP, FLUID = 0.80, 0.54, 0.66, 0.12
_RIBBON = 4.6  # mm of grey matter around fluid

# Right side, mm from the middle, from the centre to the front, below the vertex; radius.
_VENTRICLE = (
    (15.0, 30.0, -64.0, 3.0),
    (8.0, 22.0, -62.0, 5.0),
    (8.0, 2.0, -57.0, 4.0),
    (11.0, -18.0, -57.0, 4.5),
    (22.0, -34.0, -63.0, 6.5),
    (26.0, -50.0, -68.0, 2.5),
)
# Centre and half-axes of the nuclei: caudate, putamen, thalamus.
_NUCLEI = (
    ((14.0, 16.0, -64.0), (4.5, 11.0, 8.0)),
    ((25.0, 4.0, -72.0), (6.0, 16.0, 9.0)),
    ((11.0, -12.0, -71.0), (9.0, 14.0, 9.0)),
)


@lru_cache(maxsize=1)
def procedural_template() -> Template:
    """The procedural brain, always the same: 1.5 mm, from the vertex 125 mm down."""
    x, y, z = np.meshgrid(
        np.arange(-75.0, 75.1, PITCH), np.arange(-96.0, 96.1, PITCH), np.arange(-125.0, 3.1, PITCH), indexing="ij"
    )
    r = np.sqrt((x / (67.0 - 0.06 * y)) ** 2 + (y / 87.0) ** 2 + ((z + 70.0) / 70.0) ** 2)
    brain = r < 1.0
    depth = ndimage.distance_transform_edt(brain, sampling=PITCH)
    side = np.abs(x)
    fluid = ~brain | _sulci(x.shape, depth)
    fluid |= (side < 1.6) & ((z > -46.0) | (np.abs(y) > 38.0)) & (depth < 45.0)
    cortex = ndimage.distance_transform_edt(~fluid, sampling=PITCH) < _RIBBON
    voxels = np.where(cortex, GREY, WHITE_MATTER)
    for centre, half in _NUCLEI:
        near = sum(((p - c) / h) ** 2 for p, c, h in zip((side, y, z), centre, half, strict=True))
        voxels[near < 1.0] = DEEP
    third = (side < 2.0) & (np.abs(y + 4.0) < 14.0) & (z < -68.0) & (z > -90.0)
    voxels[fluid | third | _ventricles(side, y, z)] = FLUID
    voxels = ndimage.gaussian_filter(np.where(brain, voxels, 0.0), 0.5).astype(np.float32)
    affine = np.diag([PITCH, PITCH, PITCH, 1.0])
    affine[:3, 3] = x[0, 0, 0], y[0, 0, 0], z[0, 0, 0]
    coded = np.rint(255 * voxels).astype(np.uint8)
    template = prepare(
        "procedural",
        "computed by this program; part of it",
        hashlib.sha256(coded.tobytes()).hexdigest(),
        coded.astype(np.float32),
        brain,
        affine,
    )
    if template is None:
        raise AssertionError("the procedural brain is no whole brain")
    return template


def _sulci(shape: tuple[int, ...], depth: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Where smooth noise changes its sign it forms winding sheets; those near the surface are sulci."""
    noise = ndimage.gaussian_filter(np.random.default_rng(152).standard_normal(shape), 5.0 / PITCH)
    steep = np.sqrt(sum(g * g for g in np.gradient(noise, PITCH)))
    sheets: npt.NDArray[np.bool_] = (np.abs(noise) < 0.9 * steep) & (depth < 22.0)
    return sheets


def _ventricles(
    side: npt.NDArray[np.float64], y: npt.NDArray[np.float64], z: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Tubes along the horns and the body of the lateral ventricles, of a radius that changes along them."""
    inside = np.zeros(side.shape, bool)
    points = np.stack([side, y, z])
    for a, b in pairwise(_VENTRICLE):
        start, step = np.array(a[:3])[:, None, None, None], np.subtract(b[:3], a[:3])[:, None, None, None]
        t = np.clip(((points - start) * step).sum(0) / (step * step).sum(), 0.0, 1.0)
        away = np.sqrt(((points - start - t * step) ** 2).sum(0))
        inside |= away < a[3] + t * (b[3] - a[3])
    return inside
