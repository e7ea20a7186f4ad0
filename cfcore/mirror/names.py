"""What the paper calls a picture on the way. No torch here: pages read it."""

from __future__ import annotations

from typing import Literal, get_args

Points = Literal["pairwise", "closed form", "L-BFGS"]
POINTS: tuple[Points, ...] = get_args(Points)
"""Ways to the mirror image: that of two classes, or the one that keeps all other classes' probabilities."""

SEMI_FACTUAL, COUNTERFACTUAL, REFLECTION = "SFE", "CFE", "Reflection"


def kfe_name(k: float) -> str:
    """The name of a step-based factual explanation (KFE, section 4.1): "SFE" (semi-factual) below k = 0.5, "CFE"
    (counterfactual) from there, "Reflection" at k = 1.

    Raises:
        ValueError: k outside [0, 1], on which the way ends.
    """
    if not 0 <= k <= 1:
        raise ValueError(f"k is {k:g}: the way from the image to its mirror image goes from 0 to 1")
    if k == 1:
        return REFLECTION
    return SEMI_FACTUAL if k < 0.5 else COUNTERFACTUAL
