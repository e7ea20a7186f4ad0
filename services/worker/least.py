"""The least degree that flips an image."""

from __future__ import annotations

from torch import Tensor

from cfcore.engines.base import Engine, Explanation, Rendering
from cfcore.engines.boundary import boundary


def least_degrees(
    engine: Engine, images: Tensor, target: int, explanation: Explanation, rendering: Rendering
) -> list[float | None]:
    """Per image the least degree along its own direction at which its class is the target, None where none flipped.

    The boundary of `cfcore.engines.boundary` between degree 0 and the degree of the explanation: a degree that was
    judged the target, too high by less than 0.001 of that of the explanation. 0 where the image is the target without
    a move (a reconstruction, in plain rendering); the degree of the explanation itself where no picture of the curve
    is the target (a source of more than 512 px a side is made smaller here).
    """
    degrees: list[float | None] = [None] * len(images)
    rows = [i for i, degree in enumerate(explanation.strength.tolist()) if explanation.flipped[i] and degree == degree]
    if not rows:
        return degrees
    ends = explanation.strength[rows]
    names = [explanation.direction[row] for row in rows]
    found = boundary(engine, images[rows], target, ends, names, rendering=rendering)
    for row, end, degree, already in zip(
        rows, ends.tolist(), found.degree.tolist(), found.target_at_start.tolist(), strict=True
    ):
        degrees[row] = 0.0 if already else end if degree != degree else degree
    return degrees
