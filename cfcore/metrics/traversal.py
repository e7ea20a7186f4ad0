"""How the classifier's probability goes along a path of counterfactuals."""

from __future__ import annotations

from torch import Tensor

TOLERANCE = 0.01


def falls(probability: Tensor, tolerance: float = TOLERANCE) -> Tensor:
    """(n,) bool: p falls from point to point of (n, points), or rises by at most `tolerance` at any step.

    Seed 001, section 4.3, says that p is monotonic in z2; it names no tolerance. 0 asks for strict order.

    Raises:
        ValueError: fewer than two points, or a negative tolerance.
    """
    if probability.shape[1] < 2:
        raise ValueError(f"a path of {probability.shape[1]} points cannot fall: take at least two")
    if tolerance < 0:
        raise ValueError(f"tolerance is {tolerance:g}: choose 0 or more")
    return (probability.diff(dim=1) <= tolerance).all(dim=1)
