"""What can be dialled on a phantom patient: radiological factors with units and ranges."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any

VERSION = "1"

SIDES = ("left", "right")

# Inclusive ranges of the numeric factors, in the units given in `Factors`.
RANGES: dict[str, tuple[float, float]] = {
    "cardiothoracic_ratio": (0.34, 0.75),
    "effusion_left": (0.0, 0.45),
    "effusion_right": (0.0, 0.45),
    "atelectasis": (0.0, 1.0),
    "mediastinal_shift": (-0.3, 0.3),
    "opacity": (0.0, 1.0),
    "lucency": (0.0, 1.0),
    "congestion": (0.0, 1.0),
    "barrel": (0.0, 1.0),
    "build": (-1.0, 1.0),
    "age": (18.0, 95.0),
}


@dataclass(frozen=True)
class Factors:
    """Radiological factors of a phantom. Sides are the patient's (left = right half of the image).

    Attributes:
        cardiothoracic_ratio: widest heart over widest inner thorax, 0.34 to 0.75.
        effusion_left, effusion_right: height of the pleural fluid above the costophrenic angle as a
            share of the image height, 0 (none) to 0.45; the meniscus rises above it at the chest wall.
        atelectasis: lower-lobe volume loss, 0 (none) to 1 (collapsed): wedge of opacity, raised
            hemidiaphragm, crowded ribs, mediastinal shift.
        atelectasis_side: "left" or "right".
        mediastinal_shift: shift of heart, mediastinum and trachea in half-widths of the thorax, positive
            towards the patient's left, -0.3 to 0.3. None: as the atelectasis pulls it.
        opacity: infiltrate, 0 (none) to 1 (dense consolidation).
        opacity_side: "left" or "right".
        opacity_position: (lateral, vertical) centre inside that lung, each 0 to 1: 0 is medial or apical,
            1 lateral or basal.
        lucency: loss of lung tissue (hyperlucent lung), 0 to 1.
        congestion: pulmonary venous congestion, 0 to 1: wide vessels, upper-zone redistribution, haze.
        barrel: barrel-shaped thorax, 0 to 1: wide and deep, flat diaphragms, horizontal ribs.
        pacemaker: generator over the patient's left upper chest with a lead to the right ventricle.
        build: -1 (slim) to 1 (obese): soft tissue of the chest wall.
        age: years, 18 to 95: unfolded and calcified aorta, thinner bone, kyphosis.

    Raises:
        ValueError: a value lies outside its range; the message names the factor and the range.
    """

    cardiothoracic_ratio: float = 0.45
    effusion_left: float = 0.0
    effusion_right: float = 0.0
    atelectasis: float = 0.0
    atelectasis_side: str = "left"
    mediastinal_shift: float | None = None
    opacity: float = 0.0
    opacity_side: str = "right"
    opacity_position: tuple[float, float] = (0.5, 0.6)
    lucency: float = 0.0
    congestion: float = 0.0
    barrel: float = 0.0
    pacemaker: bool = False
    build: float = 0.0
    age: float = 50.0

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is None and name == "mediastinal_shift":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(f"{name} must be a number from {low} to {high}, got {value!r}")
            if not low <= value <= high:
                raise ValueError(f"{name} must lie in {low} to {high}, got {value}")
        for name in ("atelectasis_side", "opacity_side"):
            if getattr(self, name) not in SIDES:
                raise ValueError(f"{name} must be 'left' or 'right', got {getattr(self, name)!r}")
        position = self.opacity_position
        if len(position) != 2 or not all(0.0 <= p <= 1.0 for p in position):
            raise ValueError(f"opacity_position must be two numbers from 0 to 1, got {position!r}")
        if not isinstance(self.pacemaker, bool):
            raise ValueError(f"pacemaker must be True or False, got {self.pacemaker!r}")

    @property
    def shift(self) -> float:
        """Mediastinal shift in effect (half-widths of the thorax, positive to the patient's left)."""
        if self.mediastinal_shift is not None:
            return self.mediastinal_shift
        return 0.17 * self.atelectasis * (1.0 if self.atelectasis_side == "left" else -1.0)


@dataclass(frozen=True)
class Patient:
    """A phantom patient: `seed` alone gives anatomy, positioning, exposure and noise."""

    seed: int
    factors: Factors = Factors()

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed must be a whole number >= 0, got {self.seed!r}")


def counterfactual(patient: Patient, **changes: Any) -> Patient:
    """The same patient (anatomy, positioning, exposure, noise) with other factors.

    Example: ``counterfactual(p, cardiothoracic_ratio=0.58)`` is p with a large heart.

    Raises:
        ValueError: an unknown factor or a value outside its range.
    """
    known = {field.name for field in fields(Factors)}
    unknown = sorted(set(changes) - known)
    if unknown:
        raise ValueError(f"unknown factor {', '.join(unknown)}; choose from {', '.join(sorted(known))}")
    return Patient(patient.seed, replace(patient.factors, **changes))
