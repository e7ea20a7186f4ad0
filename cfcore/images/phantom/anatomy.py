"""Anatomy, positioning and exposure of a phantom patient: drawn from the seed alone."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Streams of random numbers of one seed; a factor never moves them.
ANATOMY, VESSELS, TEXTURE, NOISE, FACTORS = range(5)


def stream(seed: int, name: int, *more: int) -> np.random.Generator:
    """Generator for one stream of a seed."""
    return np.random.Generator(np.random.SFC64([seed, name, *more]))


@dataclass(frozen=True)
class Anatomy:
    """Lengths in patient units (1 = image side at magnification 1), angles in radians.

    Patient coordinates: u across (0 midline, positive towards the patient's left), v down (0 lung apex).
    """

    # positioning
    centre: tuple[float, float]
    scale: float
    angle: float
    yaw: float
    # thorax
    female: bool
    half_width: float
    height: float
    cage_knots: np.ndarray  # (9,) relative half-widths of the cage
    body_wall: float
    dome: np.ndarray  # (2,) height of the domes above the costophrenic angle, right then left
    dome_peak: np.ndarray  # (2,) lateral position of the peak, share of the half-width
    depth: float
    # bones
    rib_spacing: float
    rib_tilt: tuple[float, float]
    rib_width: float
    rib_offsets: np.ndarray  # (2, 2, 14) irregularity: side, posterior or anterior, rib
    rib_strength: np.ndarray  # (2, 2, 14)
    clavicle: np.ndarray  # (2, 4) medial height, slope, bow, half-width
    scapula: np.ndarray  # (2, 4) lateral, vertical, turn, size
    scoliosis: tuple[float, float]
    vertebra: float
    # mediastinum
    heart_right_share: float
    heart_right: np.ndarray  # (6,)
    heart_left: np.ndarray  # (6,)
    heart_top: float
    heart_depth: float
    mediastinum: np.ndarray  # (2, 6) half-widths by height
    knob: np.ndarray  # (3,) vertical, lateral, radius
    trachea: tuple[float, float]
    hilum: np.ndarray  # (2, 3) lateral, vertical, size
    # soft tissue, gas, marks
    breast: np.ndarray  # (2, 4) lateral, vertical, radius, thickness
    bubble: np.ndarray  # (4,) lateral, depth, radius, strength
    bowel: np.ndarray  # (6, 4)
    arm: np.ndarray  # (2, 2) clearance and strength
    collimation: np.ndarray  # (4,) border widths, share of the image
    marker: np.ndarray  # (4,) x, y, size, shown
    pacemaker: np.ndarray  # (4,) lateral, vertical, turn, size
    # exposure
    exposure: float
    contrast: float
    scatter: float
    gradient: tuple[float, float]
    quantum: float


class _Draws:
    """Clipped normal numbers, handed out in order from one block."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.values = np.clip(rng.standard_normal(400), -2.3, 2.3)
        self.taken = 0

    def __call__(self, shape: int | tuple[int, ...], sigma: float) -> np.ndarray:
        count = int(np.prod(shape))
        self.taken += count
        return self.values[self.taken - count : self.taken].reshape(shape) * sigma


@lru_cache(maxsize=64)
def anatomy(seed: int) -> Anatomy:
    """Anatomy of a seed."""
    r = stream(seed, ANATOMY)
    normal = _Draws(r)

    def one(mean: float, sigma: float) -> float:
        normal.taken += 1
        return float(mean + normal.values[normal.taken - 1] * sigma)

    female = bool(r.random() < 0.5)
    height = one(0.665 if female else 0.70, 0.036)
    half_width = one(0.362 if female else 0.380, 0.019)
    cage = np.array([0.54, 0.70, 0.82, 0.925, 0.985, 1.0, 0.99, 0.965, 0.93])
    cage = cage + normal(9, 1.0) * np.array([0.03, 0.03, 0.022, 0.016, 0.01, 0.008, 0.01, 0.02, 0.03])
    dome = np.array([0.120, 0.098]) + normal(2, 0.017) + one(0.0, 0.02)
    heart_right = np.array([0.50, 0.62, 0.86, 1.0, 0.94, 0.72]) + normal(6, 0.04)
    heart_left = np.array([0.40, 0.52, 0.75, 0.95, 1.0, 0.90]) + normal(6, 0.035)
    mediastinum = np.array([[0.050, 0.050, 0.056, 0.062, 0.070, 0.070], [0.048, 0.046, 0.050, 0.058, 0.062, 0.060]])
    clavicle = np.stack(
        [
            np.full(2, one(0.068, 0.022)) + normal(2, 0.006),
            np.full(2, one(-0.16, 0.09)) + normal(2, 0.03),
            np.full(2, one(0.012, 0.005)) + normal(2, 0.002),
            np.full(2, one(0.0125, 0.0012)) + normal(2, 0.0004),
        ],
        axis=1,
    )
    scapula = np.stack(
        [
            np.full(2, one(0.93, 0.05)) + normal(2, 0.02),
            np.full(2, one(0.03, 0.025)) + normal(2, 0.012),
            np.full(2, one(0.05, 0.10)) + normal(2, 0.04),
            np.full(2, one(1.0, 0.08)),
        ],
        axis=1,
    )
    breast = np.stack(
        [
            np.full(2, one(0.60, 0.05)) + normal(2, 0.02),
            np.full(2, one(0.70, 0.055)) + normal(2, 0.012),
            np.full(2, one(0.155, 0.022)) + normal(2, 0.006),
            np.full(2, abs(one(0.46, 0.16)) if female else 0.0),
        ],
        axis=1,
    )
    bowel = r.random((6, 4))
    bowel[:, 3] *= r.random(6) < 0.4
    border = np.where(r.random(4) < 0.22, r.random(4) * 0.045, 0.0)
    return Anatomy(
        centre=(one(0.5, 0.018), one(0.125, 0.028)),
        scale=one(1.03, 0.055),
        angle=one(0.0, 0.022),
        yaw=one(0.0, 0.011),
        female=female,
        half_width=half_width,
        height=height,
        cage_knots=cage,
        body_wall=one(0.062, 0.014),
        dome=dome,
        dome_peak=np.array([0.42, 0.45]) + normal(2, 0.06),
        depth=one(1.0, 0.06),
        rib_spacing=one(0.0715, 0.0045),
        rib_tilt=(one(0.085, 0.028), one(0.30, 0.07)),
        rib_width=one(0.0138, 0.0013),
        rib_offsets=normal((2, 2, 14), 0.0045) + normal((1, 2, 14), 0.004),
        rib_strength=1.0 + normal((2, 2, 14), 0.12),
        clavicle=clavicle,
        scapula=scapula,
        scoliosis=(one(0.0, 0.006), float(r.random() * 2 * np.pi)),
        vertebra=one(0.046, 0.003),
        heart_right_share=one(0.345, 0.035),
        heart_right=heart_right,
        heart_left=heart_left,
        heart_top=one(0.40, 0.018),
        heart_depth=one(1.0, 0.07),
        mediastinum=mediastinum + normal((2, 6), 0.0045) + normal((2, 1), 0.004),
        knob=np.array([one(0.195, 0.016), one(0.052, 0.006), one(0.038, 0.0035)]),
        trachea=(one(0.018, 0.0016), one(-0.006, 0.005)),
        hilum=np.stack(
            [
                np.array([0.100, 0.092]) + normal(2, 0.007),
                np.array([0.325, 0.300]) + normal(2, 0.012) + one(0, 0.008),
                np.array([1.0, 1.0]) + normal(2, 0.12),
            ],
            axis=1,
        ),
        breast=breast,
        bubble=np.array([one(0.15, 0.025), one(0.055, 0.012), one(0.05, 0.011), max(0.0, one(0.5, 0.28))]),
        bowel=bowel,
        arm=np.stack([np.full(2, one(0.075, 0.03)) + normal(2, 0.01), np.full(2, one(1.0, 0.1))], axis=1),
        collimation=border,
        marker=np.array([one(0.90, 0.025), one(0.07, 0.018), one(0.03, 0.004), float(r.random() < 0.75)]),
        pacemaker=np.array([one(0.66, 0.05), one(0.175, 0.02), one(0.0, 0.25), one(1.0, 0.07)]),
        exposure=one(0.0, 0.14),
        contrast=one(1.0, 0.07),
        scatter=one(0.055, 0.016),
        gradient=(one(0.0, 0.10), one(0.0, 0.10)),
        quantum=one(0.035, 0.007),
    )
