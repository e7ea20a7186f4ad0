"""Contours of a phantom patient in patient coordinates, shared by rendering and masks.

u runs across (0 midline, positive towards the patient's left), v down (0 lung apex); 1 is the image side
at magnification 1. Contours are tables over v or over |u|, so that a pixel costs one look-up.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline

from .anatomy import Anatomy, anatomy
from .factors import Factors, Patient

Array = np.ndarray

V_LOW, V_HIGH = -0.45, 1.35
U_HIGH = 0.80
RIGHT, LEFT = 0, 1
SIGN = (-1.0, 1.0)

CAGE = (-0.02, 0.06, 0.14, 0.25, 0.40, 0.58, 0.78, 0.95, 1.20)
BODY = (-0.45, -0.16, -0.09, -0.03, 0.05, 0.16, 0.30, 0.45, 0.75, 1.35)
HEART = (0.0, 0.2, 0.45, 0.7, 0.88, 1.0)
MEDIASTINUM = (-0.30, -0.02, 0.12, 0.26, 0.45, 1.0)


@lru_cache(maxsize=16)
def _basis(knots: tuple[float, ...]) -> tuple[Array, Array]:
    """(1024,) positions and (knots, 1024) cardinal natural cubic splines over the span of the knots."""
    grid = np.linspace(knots[0], knots[-1], 1024)
    return grid, np.ascontiguousarray(CubicSpline(knots, np.eye(len(knots)), bc_type="natural")(grid).T)


def spline(knots: tuple[float, ...], values: Array, at: Array) -> Array:
    """Cubic spline through (knots, values) at some positions, held constant outside the knots."""
    grid, basis = _basis(knots)
    return np.interp(at, grid, np.asarray(values) @ basis)


def smoothstep(x: Array) -> Array:
    """0 below 0, 1 above 1, smooth between."""
    t = np.maximum(x, 0.0)
    np.minimum(t, 1.0, out=t)
    slope = 2.0 * t
    np.subtract(3.0, slope, out=slope)
    t *= t
    t *= slope
    return t


@dataclass(frozen=True)
class Geometry:
    """Contours as tables; sides are indexed RIGHT, LEFT (the patient's)."""

    anatomy: Anatomy
    factors: Factors
    n: int
    width: float  # half-width of the inner thorax
    height: float
    v: Array  # (n,)
    s: Array  # (n,) |u|
    cage: Array  # (n,) inner half-width of the thorax by v
    inner: Array  # (n,) medial lung edge by v
    ribcage: Array  # (n,) half-width of the bony cage by v
    body: Array  # (n,) half-width of the trunk by v
    midline: Array  # (n,) spine by v
    shift: Array  # (n,) mediastinal displacement by v
    heart: Array  # (2, n) distance of the heart contour from its midline by v (0: none)
    pedicle: Array  # (2, n) the same for the mediastinum
    dome: Array  # (2, n) diaphragm by |u|
    fluid: Array  # (2, n) top of the pleural fluid by |u| (V_HIGH: none)
    heart_span: tuple[float, float]  # v of the top and bottom of the heart


def geometry(patient: Patient, n: int = 1024) -> Geometry:
    """Contours of a patient, n points a table."""
    a, f = anatomy(patient.seed), patient.factors
    width = a.half_width * (1.0 + 0.08 * f.barrel)
    height = a.height * (1.0 + 0.04 * f.barrel)
    v = np.linspace(V_LOW, V_HIGH, n)
    s = np.linspace(0.0, U_HIGH, n)

    wide = spline(CAGE, a.cage_knots, v / height)
    wide += 0.05 * f.barrel * smoothstep((v / height) / 0.2) * smoothstep((0.75 - v / height) / 0.4)
    inside = (v > 0) & (v < height)
    wide = width * wide / wide[inside].max()
    apex = 0.45 * width
    dome_in = np.sqrt(np.clip(1.0 - (1.0 - np.clip(v / (0.13 * height), 0, 1)) ** 2, 0, 1))
    cage = apex + (wide - apex) * dome_in
    medial = width * (0.06 + 0.10 * np.exp(-((((v / height) - 0.05) / 0.15) ** 2)))
    inner = apex + (medial - apex) * dome_in

    wall = a.body_wall * (1.0 + 0.35 * f.build) + 0.035 * max(f.build, 0.0)
    trunk = width * 0.99 + wall
    stout = 0.02 * f.build
    outline = np.array(
        [0.125 + stout, 0.13 + stout, 0.19 + stout, 0.35, 0.50, 0.57, trunk + 0.10, trunk + 0.015, trunk, trunk + stout]
    )
    body = spline(BODY, outline, v)

    elderly = max(0.0, f.age - 45.0) / 50.0
    midline = a.scoliosis[0] * (0.6 + elderly) * np.sin(4.5 * v + a.scoliosis[1])
    ramp = smoothstep((v + 0.15) / 0.45)
    shift = f.shift * width * ramp

    level = height - a.dome * (1.0 - 0.5 * f.barrel)
    lift = np.array([0.0, 0.0])
    lift[LEFT if f.atelectasis_side == "left" else RIGHT] = 0.075 * f.atelectasis
    level = level - lift
    domes, fluids = [], []
    for side in (RIGHT, LEFT):
        rel = s / (wide[np.searchsorted(v, height * 0.95)] + 1e-6)
        peak = a.dome_peak[side]
        lateral = np.clip((rel - peak) / (1.0 - peak), 0.0, 1.0)
        medial_drop = np.clip((peak - rel) / peak, 0.0, 1.0) ** 2 * 0.035
        rise = 1.0 - np.sqrt(np.clip(1.0 - lateral**2.0, 0.0, 1.0))
        domes.append(level[side] + medial_drop + (height - level[side]) * (0.65 * rise + 0.35 * lateral**2))
        amount = (f.effusion_right, f.effusion_left)[side]
        if amount > 0:
            depth = amount / a.scale
            small = min(1.0, depth / 0.05)
            climb = (
                0.055 * np.clip((rel - 0.55) / 0.45, 0, 1.1) ** 2.5 + 0.015 * np.clip(1 - rel / 0.4, 0, 1) ** 2
            ) * small
            fluids.append(height - depth - climb)
        else:
            fluids.append(np.full(n, V_HIGH))

    ratio = f.cardiothoracic_ratio * 2.0 * width
    big = (f.cardiothoracic_ratio - 0.45) / 0.15
    top = (a.heart_top - 0.015 * big) * height
    bottom = height - 0.5 * a.dome.sum() * (1.0 - 0.5 * f.barrel) - 0.25 * lift.sum() + 0.045
    t = (v - top) / (bottom - top)
    share = (a.heart_right_share, 1.0 - a.heart_right_share)
    heart = []
    for side, knots in ((RIGHT, a.heart_right), (LEFT, a.heart_left)):
        shape = _heart_side(knots, t)
        heart.append(ratio * share[side] * shape)
    pedicle = np.stack([spline(MEDIASTINUM, m, v / height) for m in a.mediastinum])
    pedicle[LEFT] += 0.018 * elderly * np.exp(-(((v - a.knob[0]) / 0.07) ** 2))
    return Geometry(
        a, f, n, width, height, v, s, cage, inner, wide + 0.010, body, midline, shift,
        np.stack(heart), pedicle, np.stack(domes), np.stack(fluids), (top, bottom),
    )  # fmt: skip


def _heart_side(knots: Array, t: Array) -> Array:
    """Relative half-width of the heart, 1 at its widest; round at the bottom, slender at the top."""
    grid, basis = _basis(HEART)
    table = np.asarray(knots) @ basis
    shape = np.interp(t, grid, table / table.max())
    below = np.clip((t - 1.0) / 0.22, 0.0, 1.0)
    above = np.clip(-t / 0.25, 0.0, 1.0)
    return shape * np.sqrt(1.0 - below**2) * (1.0 - above**1.5)
