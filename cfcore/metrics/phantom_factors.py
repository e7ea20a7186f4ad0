"""The factors that can be measured on a phantom-like picture, and how far each spreads among phantoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from cfcore.images.phantom import Measurement, measure_batch
from cfcore.metrics.factor_names import LABELS

Array = npt.NDArray[np.float64]

# Both sides together: a direction that fills both recesses moves one factor, not two.
SIDES: Mapping[str, tuple[str, str]] = {
    "effusion": ("effusion_left", "effusion_right"),
    "atelectasis": ("atelectasis_left", "atelectasis_right"),
}
FACTORS = tuple(LABELS)
# Standard deviation of the measured values over 1,200 phantoms, 400 of each pathology's data set (seed 63, 64 px).
SPREAD: Mapping[str, float] = {
    "cardiothoracic_ratio": 0.069,
    "effusion": 0.077,
    "mediastinal_shift": 0.059,
    "atelectasis": 0.284,
    "opacity": 0.199,
    "lucency": 0.199,
    "congestion": 0.206,
    "barrel": 0.154,
    "build": 0.357,
    "age": 14.6,
    "device": 0.227,
}


def factor_value(measurement: Measurement, factor: str) -> float:
    """The measured value of one of `FACTORS`, nan where the picture could not be measured."""
    if not measurement.measurable:
        return float("nan")
    return float(sum(getattr(measurement, name) for name in SIDES.get(factor, (factor,))))


def measured_factors(images: npt.NDArray[np.float32]) -> dict[str, Array]:
    """Factor -> (n,) values of (n, size, size) pictures in [0, 1], size 64 or more; nan where not measurable."""
    found = measure_batch(images)
    return {factor: np.array([factor_value(m, factor) for m in found]) for factor in FACTORS}


def factors_along(frames: Sequence[npt.NDArray[np.float32]]) -> dict[str, Array]:
    """Factor -> (k, n) values of k frames of (n, size, size) pictures: what `direction_effect` takes."""
    rows = [measured_factors(frame) for frame in frames]
    return {factor: np.stack([row[factor] for row in rows]) for factor in FACTORS}
