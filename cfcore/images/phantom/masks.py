"""True outlines of the anatomy, and the true region that a change of factors moves."""

import numpy as np

from .bones import clavicle, scapula_mask
from .factors import Patient
from .frame import Frame
from .geometry import LEFT, RIGHT, SIGN, Geometry, geometry
from .render import LARGEST, SMALLEST, render

Array = np.ndarray

# The 14 classes of TorchXRayVision's PSPNet, in lower case; sides are the patient's.
CLASSES = (
    "left clavicle", "right clavicle", "left scapula", "right scapula", "left lung", "right lung",
    "left hilus pulmonis", "right hilus pulmonis", "heart", "aorta", "facies diaphragmatica", "mediastinum",
    "weasand", "spine",
)  # fmt: skip


def masks(patient: Patient, size: int) -> dict[str, Array]:
    """Masks of the 14 anatomical classes; they may overlap, as the structures do in projection.

    Lungs are the aerated fields (above diaphragm and pleural fluid, outside heart and mediastinum); the
    facies diaphragmatica is what lies between the dome and the level of the costophrenic angle; the weasand
    (oesophagus) is isodense and only stands where it runs.

    Args:
        patient: seed and factors.
        size: pixels a side, 64 to 1024.

    Returns:
        class name -> (size, size) bool.

    Raises:
        ValueError: size outside 64 to 1024.
    """
    if not isinstance(size, (int, np.integer)) or not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size must be a whole number from {SMALLEST} to {LARGEST} pixels, got {size!r}")
    g = geometry(patient, 6144)
    frame = Frame.of(g, int(size))
    dome = frame.by_u(g.dome)
    found = _mediastinal(g, frame, dome)
    central = found["heart"] | found["mediastinum"] | found["aorta"]
    chest = (frame.abs_u < frame.by_v(g.cage)) & (frame.v > 0)
    field = chest & (frame.abs_u > frame.by_v(g.inner)) & (frame.v < np.minimum(dome, frame.by_u(g.fluid)))
    for side, name in ((LEFT, "left"), (RIGHT, "right")):
        here = frame.u > 0 if side == LEFT else frame.u < 0
        found[f"{name} lung"] = field & here & ~central
        found[f"{name} scapula"] = scapula_mask(g, frame, side)
        found[f"{name} clavicle"] = _clavicle_mask(g, frame, side)
    beside = frame.abs_u < np.interp(g.height, g.v, g.cage)
    found["facies diaphragmatica"] = beside & (frame.v > dome) & (frame.v < g.height)
    return {name: found[name] for name in CLASSES}


def _clavicle_mask(g: Geometry, frame: Frame, side: int) -> Array:
    mask = np.zeros((frame.size, frame.size), dtype=bool)
    inside = clavicle(g, frame, side)
    if inside is not None:
        box, along, t = inside
        mask[box] = (np.abs(t) < 1.0) & (along > 0.0) & (along < 1.0)
    return mask


def _mediastinal(g: Geometry, frame: Frame, dome: Array) -> dict[str, Array]:
    """Heart, mediastinum, aorta, oesophagus, hila, spine."""
    a = g.anatomy
    elderly = max(0.0, g.factors.age - 45.0) / 50.0
    um, v = frame.u - frame.by_v(g.shift), frame.v
    floor = dome + 0.02

    def between(contour: Array) -> Array:
        right, left = contour
        return (um > -frame.by_v(right)) & (um < frame.by_v(left))

    top, _bottom = g.heart_span
    kv, ku, radius = a.knob.tolist()
    radius, ku = radius * (1.0 + 0.30 * elderly), ku + 0.018 * elderly
    knob = ((um - ku) / radius) ** 2 + ((v - kv) / (1.12 * radius)) ** 2 < 1.0
    course = 0.028 + 0.016 * elderly * np.sin(np.clip((g.v - 0.15) / 0.5, 0, 1) * np.pi)
    descending = np.abs(um - frame.by_v(course)) < 0.030 * (1.0 + 0.2 * elderly)
    vertebra = a.vertebra * (0.80 + 0.35 * np.clip(g.v + 0.1, 0, 1.1))
    found = {
        "heart": between(g.heart) & (v > top) & (v < floor),
        "mediastinum": between(g.pedicle) & (v > -0.05) & (v < floor),
        "aorta": knob | (descending & (v > kv) & (v < floor)),
        "weasand": (np.abs(um - 0.006) < 0.014) & (v > -0.25) & (v < floor + 0.03),
        "spine": np.abs(frame.u - frame.by_v(g.midline) - 0.5 * a.yaw) < frame.by_v(vertebra),
    }
    for side, name in ((LEFT, "left"), (RIGHT, "right")):
        hu, hv, scale = a.hilum[side].tolist()
        du, dv = (um - SIGN[side] * hu * 0.92) / (0.030 * scale), (v - hv) / (0.062 * scale)
        found[f"{name} hilus pulmonis"] = du**2 + dv**2 < 1.2
    return found


def changed_region(a: Patient, b: Patient, size: int, threshold: float = 0.02) -> Array:
    """Where two versions of one patient differ: the true region of a counterfactual change.

    Args:
        a, b: the same patient (equal seeds) with different factors.
        size: pixels a side, 64 to 1024.
        threshold: least |difference| of brightness, in [0, 1); scattered radiation alone stays below 0.02.

    Returns:
        (size, size) bool.

    Raises:
        ValueError: different seeds (then everything differs), or a threshold outside [0, 1).
    """
    if a.seed != b.seed:
        raise ValueError(f"changed_region compares one patient with itself; got seeds {a.seed} and {b.seed}")
    if not 0.0 <= threshold < 1.0:
        raise ValueError(f"threshold must lie in [0, 1), got {threshold}")
    return np.abs(render(a, size) - render(b, size)) > threshold
