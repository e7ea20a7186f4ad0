"""The ways in which a counterfactual can be shown. No torch here, so that pages and the command line may import it."""

from __future__ import annotations

from typing import Literal, get_args

Rendering = Literal["detail transfer", "warped transfer", "plain"]
RENDERINGS: tuple[Rendering, ...] = get_args(Rendering)
DEFAULT_RENDERING: Rendering = "detail transfer"

EXPLAINED: dict[Rendering, str] = {
    "detail transfer": "The generator's change is added to the true original at its own resolution, then checked again",
    "warped transfer": "As detail transfer, but borders that move are carried along and leave no ghost; letters and "
    "metal stay as they are",
    "plain": "What the generator draws, at its own resolution",
}


def keeps_source(rendering: str) -> bool:
    """Whether the counterfactual is the true original plus a change, at the original's own resolution.

    Raises:
        ValueError: no such rendering; the message lists those there are.
    """
    if rendering not in RENDERINGS:
        raise ValueError(f"no rendering {rendering!r}; choose one of: {', '.join(RENDERINGS)}")
    return rendering != "plain"
