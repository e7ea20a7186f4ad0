"""Where a counterfactual changes the classifier's mind: the box that a figure draws around the emerging feature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter, label
from torch import Tensor

from cfcore.classifiers.base import Classifier, resize, target_margin

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Box:
    """A part of an image, its edges as shares of height and width in [0, 1].

    share: of the summed weight of the image that lies inside, in [0, 1].
    """

    top: float
    left: float
    bottom: float
    right: float
    share: float


def change_attribution(
    classifier: Classifier, original: Tensor, counterfactual: Tensor, target: int, steps: int = 8
) -> Tensor:
    """(n, *spatial) share of every pixel in the change of the target margin, at the classifier's own size.

    Integrated gradients (Sundararajan et al. 2017) with the original as baseline, midpoints of `steps` pieces of the
    straight line: the sum over an image is the margin's change, but for the pieces' error. Pixels that change without
    moving the classifier (the outline of the body, say) get next to nothing.

    Args:
        original, counterfactual: (n, channels, *spatial) in [0, 1].

    Raises:
        TypeError: the classifier passes no gradients.
    """
    start, end = resize(original, classifier.size), resize(counterfactual, classifier.size)
    total = torch.zeros_like(start)
    for i in range(steps):
        with torch.enable_grad():
            point = start.lerp(end, (i + 0.5) / steps).detach().requires_grad_()
            margin = target_margin(classifier.logits(point), target)
            if not margin.requires_grad:
                raise TypeError(f"{type(classifier).__name__} passes no gradients: what it looks at cannot be marked")
            (gradient,) = torch.autograd.grad(margin.sum(), point)
        total += gradient / steps
    return (total * (end - start)).sum(dim=1)


def strongest_region(weights: Array, level: float = 0.5) -> Box | None:
    """The box around the strongest part of (h, w) weights; negative ones count as 0; None where none is positive.

    Weights are smoothed by a Gaussian of 1/32 of the longer side; the box holds the connected region above `level` of
    the maximum that contains the maximum, and a margin of the Gaussian's width.
    """
    if weights.ndim != 2:
        raise ValueError(f"weights must be (h, w), got {weights.shape}")
    positive = np.clip(weights, 0, None).astype(np.float64)
    if not positive.any():
        return None
    height, across = positive.shape
    width = max(positive.shape) / 32
    smooth = gaussian_filter(positive, width)
    regions, _ = label(smooth >= level * smooth.max())
    peak = np.unravel_index(int(smooth.argmax()), smooth.shape)
    rows, columns = np.nonzero(regions == regions[peak])
    margin = round(width)
    top, left = max(0, int(rows.min()) - margin), max(0, int(columns.min()) - margin)
    bottom, right = min(height, int(rows.max()) + 1 + margin), min(across, int(columns.max()) + 1 + margin)
    share = float(positive[top:bottom, left:right].sum() / positive.sum())
    return Box(top / height, left / across, bottom / height, right / across, share)
