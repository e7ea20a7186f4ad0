"""A slice with its lesion, without it, and the lesion's mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cfcore.images.phantom.anatomy import stream

from .lesion import PLACES, Lesion, draw_lesion, solid, weight
from .subject import LOOK, NOISE, TEXTURE, Array, Subject, draw_subject, oversampling, pooled, smooth_field, tissue
from .template import WHITE, Template

SMALLEST, LARGEST = 32, 512
SHOWN = 0.62  # brightness of white matter in a picture: leaves room for what is brighter

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice.

    image: (size, size) uint8, as it is stored.
    twin: (size, size) uint8, the same person, scan and noise without the lesion; equal to `image` without one.
    mask: (size, size) bool, the lesion where at least half of its full strength is reached.
    lesion: None in a healthy slice.
    """

    image: Pixels
    twin: Pixels
    mask: npt.NDArray[np.bool_]
    subject: Subject
    lesion: Lesion | None


def draw(seed: int, templates: Sequence[Template], size: int, diseased: bool) -> Slice:
    """The slice of a seed.

    Args:
        seed: gives the person, the scan and, where there is one, the lesion. A person's anatomy does not depend on
            `diseased` or on `size`.
        templates: one or more; each person comes from one of them.
        size: pixels a side, 32 to 512, over 210 mm.

    Raises:
        ValueError: size out of range, no template, no tissue at the level of the slice.
    """
    check_size(size)
    if not templates:
        raise ValueError("no brain template was given: pass at least one, for example procedural_template()")
    subject = draw_subject(seed, len(templates))
    template = templates[subject.template]
    fine = size * oversampling(size)
    points = tissue(subject, template, fine)
    plain = pooled(points, size)
    healthy = _scanned(subject, plain, plain, size)
    if not diseased:
        return Slice(healthy, healthy, np.zeros((size, size), bool), subject, None)
    lesion = draw_lesion(subject, tissue(subject, template, PLACES))
    share = weight(lesion, subject, points)
    changed = pooled(points + lesion.strength * share * (lesion.target - points), size)
    covered = pooled(share, size)
    return Slice(_scanned(subject, changed, plain, size), healthy, covered >= 0.5 * covered.max(), subject, lesion)


def check_size(size: int) -> None:
    """Raises ValueError where a picture cannot have `size` pixels a side."""
    if not SMALLEST <= size <= LARGEST:
        raise ValueError(
            f"size must be {SMALLEST} to {LARGEST} px, got {size}: below {SMALLEST} the smallest lesion is lost"
        )


def _scanned(subject: Subject, signal: Array, plain: Array, size: int) -> Pixels:
    """Shading, contrast and Rician noise (Gudbjartsson, Patz, Magn Reson Med 1995;34:910-914), cut to the brain.

    The texture and the noise depend on the lesion-free scan alone, so that two pictures differ at the lesion only.
    """
    look, texture, noise = (stream(subject.seed, name) for name in (LOOK, TEXTURE, NOISE))
    shaded = signal * np.exp(subject.shading * smooth_field(look, 3, size))
    shaded *= 1.0 + 0.03 * smooth_field(texture, 26, size) * solid(plain)
    bright = subject.gain * SHOWN * np.power(np.clip(shaded / WHITE, 0.0, None), subject.gamma)
    brain = np.clip(plain / 0.08, 0.0, 1.0)
    real, imaginary = subject.noise * brain * noise.standard_normal((2, size, size))
    image = np.clip(np.hypot(bright + real, imaginary), 0.0, 1.0)
    return np.rint(255.0 * image).astype(np.uint8)
