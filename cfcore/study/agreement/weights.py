"""Agreement weights between categories: 1 on the diagonal, less for partial agreement."""

from collections.abc import Sequence
from math import comb
from typing import Any, Literal

import numpy as np

from cfcore.study.resampling import Array

Weights = Literal["identity", "linear", "quadratic", "ordinal", "ratio"]


def scores(categories: Sequence[Any]) -> Array:
    """The categories' numeric values where all are numbers, else their ranks 0, 1, 2, ..."""
    if all(isinstance(c, int | float | np.number) and not isinstance(c, bool) for c in categories):
        return np.asarray(categories, dtype=float)
    return np.arange(len(categories), dtype=float)


def weight_matrix(weights: Weights | Array, categories: Sequence[Any]) -> Array:
    """(q, q) agreement weights in [0, 1] (Gwet 2014, section 3.5).

    identity: 1 if equal. linear: 1 - |x - y| / range. quadratic: 1 - (x - y)^2 / range^2. ordinal:
    1 - C(|k - l| + 1, 2) / C(q, 2) on ranks k, l. ratio: 1 - ((x - y) / (x + y))^2, scaled to 0 for the farthest
    two values; for numbers of 0 or more. A symmetric matrix of one's own passes through. Raises ValueError for an
    unknown name, a matrix of another shape, or negative numbers under ratio.
    """
    q = len(categories)
    if not isinstance(weights, str):
        matrix = np.asarray(weights, dtype=float)
        if matrix.shape != (q, q) or not np.allclose(matrix, matrix.T):
            raise ValueError(f"Weights of shape {matrix.shape}: expected a symmetric ({q}, {q}) matrix.")
        return matrix
    if weights == "identity" or q < 2:
        return np.eye(q)
    if weights == "ordinal":
        rank = np.arange(q)
        steps = np.abs(rank[:, None] - rank[None, :])
        return np.asarray(1 - (steps * (steps + 1) / 2) / comb(q, 2))
    if weights not in ("linear", "quadratic", "ratio"):
        raise ValueError(f"Unknown weights “{weights}”: use identity, linear, quadratic, ordinal or ratio.")
    x = scores(categories)
    if weights == "ratio":
        if (x < 0).any():
            raise ValueError("Ratio weights need values of 0 or more: use quadratic.")
        total = x[:, None] + x[None, :]
        relative = ((x[:, None] - x[None, :]) / np.where(total > 0, total, 1)) ** 2
        return np.asarray(1 - relative / relative.max())
    distance = np.abs(x[:, None] - x[None, :]) / (x.max() - x.min())
    return 1 - (distance if weights == "linear" else distance**2)
