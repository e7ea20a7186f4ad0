"""What differs between two people's slices: level, pose, shape, brightness; drawn from the seed alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial.transform import Rotation

from cfcore.images.phantom.anatomy import stream

from .template import Template

Array = npt.NDArray[np.float64]

FIELD_OF_VIEW = 210.0  # mm a side
FINEST = 1.7  # mm between the points that a pixel averages over, at most
LEVELS = (48.0, 78.0)  # mm below the vertex: from above the ventricles down to the basal ganglia

# Streams of random numbers of one seed.
POSE, SHAPE, LOOK, LESION, TEXTURE, NOISE = range(100, 106)


@dataclass(frozen=True)
class Subject:
    """One person, one slice.

    template: which of the templates at hand.
    level: of the slice, mm below the vertex.
    turn: pitch, roll and yaw in degrees; scale: across, front to back; shift: in the picture, mm.
    mirrored: left and right exchanged.
    ventricles: from -1 narrow to 1 wide.
    gamma, gain: of the brightness; shading: strength of the coil's bias field; noise: per pixel, 1 is white.
    """

    seed: int
    template: int
    level: float
    turn: tuple[float, float, float]
    scale: tuple[float, float]
    shift: tuple[float, float]
    mirrored: bool
    ventricles: float
    gamma: float
    gain: float
    shading: float
    noise: float


def draw_subject(seed: int, templates: int) -> Subject:
    """The person of a seed, one of `templates` templates behind it."""
    r = stream(seed, POSE)
    normal = np.clip(r.standard_normal(16), -2.3, 2.3)
    dice = r.random(8)
    size = 0.985 + 0.035 * normal[3]
    return Subject(
        seed=seed,
        template=int(dice[0] * templates),
        level=float(LEVELS[0] + (LEVELS[1] - LEVELS[0]) * dice[1]),
        turn=(float(3.5 * normal[0]), float(1.5 * normal[1]), float(3.0 * normal[2])),
        scale=(float(size * (1.0 + 0.025 * normal[4])), float(size * (1.0 - 0.025 * normal[4]))),
        shift=(float(2.5 * normal[5]), float(2.5 * normal[6])),
        mirrored=bool(dice[2] < 0.5),
        ventricles=float(np.clip(0.45 * normal[7], -1.0, 1.0)),
        gamma=float(np.exp(0.10 * normal[8])),
        gain=float(np.exp(0.06 * normal[9])),
        shading=float(0.03 + 0.07 * dice[3]),
        noise=float(0.008 + 0.014 * dice[4]),
    )


@lru_cache(maxsize=64)
def _basis(cells: int, size: int) -> Array:
    """(size, cells) weights of Gaussian bumps, each row of length 1, so that white noise keeps its variance."""
    x = (np.arange(size) + 0.5) / size * cells - 0.5
    weights = np.exp(-0.5 * ((x[:, None] - np.arange(-2, cells + 2)[None]) / 0.7) ** 2)
    normed: Array = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    return normed


def smooth_field(rng: np.random.Generator, cells: int, size: int) -> Array:
    """(size, size) smooth noise of standard deviation 1 with `cells` bumps a side; the same at every size."""
    basis = _basis(cells, size)
    noise = np.clip(rng.standard_normal((basis.shape[1], basis.shape[1])), -2.5, 2.5)
    field: Array = basis @ noise @ basis.T
    return field


def oversampling(size: int) -> int:
    """Points along a pixel's side."""
    return max(1, int(np.ceil(FIELD_OF_VIEW / size / FINEST)))


def pooled(fine: Array, size: int) -> Array:
    """(size, size) area averages of a finer square."""
    k = len(fine) // size
    mean: Array = fine.reshape(size, k, size, k).mean((1, 3))
    return mean


def tissue(subject: Subject, template: Template, fine: int) -> Array:
    """(fine, fine) brightness of the undistorted scan at the points of a subject's slice; 0 outside the brain.

    The picture is seen from the feet, as radiologists do: the patient's left is on the right (unless mirrored), the
    face is up.
    """
    pitch = FIELD_OF_VIEW / fine
    along = (np.arange(fine) + 0.5) * pitch - FIELD_OF_VIEW / 2
    # Right is negative x of the picture; mm of a person of mean size.
    right = np.broadcast_to(-along[None, :] + subject.shift[0], (fine, fine)) / subject.scale[0]
    front = np.broadcast_to(-along[:, None] + subject.shift[1], (fine, fine)) / subject.scale[1]
    points = np.stack([right, front, np.zeros((fine, fine))])
    # About a point in the middle of the head, so that a tilt does not move the slice out of it.
    points = np.einsum("ab,bij->aij", Rotation.from_euler("xyz", subject.turn, degrees=True).as_matrix(), points)
    points[2] -= subject.level
    rng = stream(subject.seed, SHAPE)
    for cells, sigma in ((5, 2.6), (10, 1.1)):
        for axis in range(3):
            points[axis] += sigma * smooth_field(rng, cells, fine)
    away = (points[0] / 24.0) ** 2 + ((points[1] - 2.0) / 45.0) ** 2 + ((points[2] + 64.0) / 26.0) ** 2
    points[0] *= 1.0 - 0.40 * subject.ventricles * np.exp(-0.5 * away)
    if subject.mirrored:
        points[0] *= -1.0
    where = np.einsum("ab,bij->aij", template.to_voxel[:3, :3], points) + template.to_voxel[:3, 3, None, None]
    found: Array = ndimage.map_coordinates(template.voxels, where, order=1, output=np.float64)
    return found
