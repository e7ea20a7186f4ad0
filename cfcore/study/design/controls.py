"""A plain filter as strong as the counterfactuals of the study: blur or contrast with a wanted mean difference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.float32]

_STEPS = 40


def mean_difference(first: Gray, second: Gray) -> float:
    """L1: the mean absolute difference of two (h, w) images in [0, 1]."""
    return float(np.abs(first.astype(np.float64) - second.astype(np.float64)).mean())


def blurred(image: Gray, sigma: float) -> Gray:
    """Gaussian blur with a standard deviation of `sigma` pixels, edges mirrored; (h, w) in [0, 1]."""
    from scipy.ndimage import gaussian_filter

    return np.clip(gaussian_filter(image.astype(np.float64), sigma, mode="reflect"), 0, 1).astype(np.float32)


def flattened(image: Gray, share: float) -> Gray:
    """Contrast reduced by `share` (0: none, 1: a flat gray) around the image's mean; (h, w) in [0, 1]."""
    mean = float(image.mean(dtype=np.float64))
    return (mean + (1 - share) * (image.astype(np.float64) - mean)).astype(np.float32)


def _tuned(image: Gray, strength: float, change: Callable[[Gray, float], Gray], most: float) -> float:
    """The parameter in [0, most] at which the change is as strong as wanted, by bisection; `most` where it is not."""
    if mean_difference(image, change(image, most)) <= strength:
        return most
    low, high = 0.0, most
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if mean_difference(image, change(image, middle)) < strength:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def plain_filter(image: Gray, strength: float, prefer: str = "blur") -> tuple[Gray, str, float]:
    """The image blurred or flattened so that its mean absolute change is `strength`: (image, filter, parameter).

    prefer: "blur" (parameter: sigma in pixels) or "contrast" (parameter: share of contrast taken away). The other is
    used where the preferred one cannot reach the strength, and the stronger of both where neither can. Raises
    ValueError for a strength that is not positive, or an unknown filter.
    """
    if not strength > 0:
        raise ValueError(f"A filter of strength {strength}: the counterfactuals must differ from their originals.")
    # A blur as wide as a quarter of the image leaves hardly more than its mean.
    filters: dict[str, tuple[Callable[[Gray, float], Gray], float]] = {
        "blur": (blurred, max(image.shape) / 4),
        "contrast": (flattened, 1.0),
    }
    if prefer not in filters:
        raise ValueError(f"There is no filter “{prefer}”: use {' or '.join(filters)}.")
    tried = []
    for name in sorted(filters, key=lambda name: name != prefer):
        change, most = filters[name]
        parameter = _tuned(image, strength, change, most)
        found = change(image, parameter)
        reached = mean_difference(image, found)
        if reached >= 0.98 * strength:
            return found, name, parameter
        tried.append((reached, found, name, parameter))
    _, found, name, parameter = max(tried, key=lambda row: row[0])
    return found, name, parameter
