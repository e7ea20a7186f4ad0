"""Where a counterfactual changes most: the box that a figure draws around the emerging feature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, label

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Box:
    """Rows `top` to `bottom` and columns `left` to `right` of an image, the ends not included.

    share: of the summed |change| of the image that lies inside, in [0, 1].
    """

    top: int
    left: int
    bottom: int
    right: int
    share: float


def emerging_region(original: Array, counterfactual: Array, level: float = 0.5) -> Box | None:
    """The box around the strongest change between two (h, w) images in [0, 1]; None where nothing changes.

    |change| is smoothed by a Gaussian of 1/32 of the longer side; the box holds the connected region above `level` of
    its maximum that contains the maximum, and a margin of the same width.
    """
    if original.shape != counterfactual.shape or original.ndim != 2:
        raise ValueError(f"two (h, w) images of one size are needed, got {original.shape} and {counterfactual.shape}")
    change = np.abs(counterfactual - original).astype(np.float64)
    if not change.any():
        return None
    width = max(original.shape) / 32
    smooth = gaussian_filter(change, width)
    regions, _ = label(smooth >= level * smooth.max())
    peak = np.unravel_index(int(smooth.argmax()), smooth.shape)
    rows, columns = np.nonzero(regions == regions[peak])
    margin = round(width)
    top, left = max(0, int(rows.min()) - margin), max(0, int(columns.min()) - margin)
    bottom = min(change.shape[0], int(rows.max()) + 1 + margin)
    right = min(change.shape[1], int(columns.max()) + 1 + margin)
    return Box(top, left, bottom, right, float(change[top:bottom, left:right].sum() / change.sum()))
