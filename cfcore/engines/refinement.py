"""The settings of refinement, as every method on StylEx has them. No torch here."""

from __future__ import annotations

from typing import Any

from cfcore.settings import setting

REFINEMENT = "Short cuts and refinement"


def refine_setting() -> Any:
    """The field `refine`."""
    return setting(
        0,
        label="refine, steps",
        help="So many optimiser steps bring each image's code closer to the image (every layer its own) before it is "
        "searched and explained: sharper reconstructions, a second or two an image for 60 steps. 0: the encoder's "
        "code.",
        low=0,
        high=1000,
        step=10,
        group=REFINEMENT,
    )


def check_refine(steps: int, rate: float) -> None:
    """Raises ValueError for settings of the refinement that make no sense."""
    if not 0 <= steps <= 1000:
        raise ValueError(f"refine must be from 0 (the encoder's code) to 1000 steps, not {steps}")
    if not 0 < rate <= 1:
        raise ValueError(f"refine_rate must be above 0 and at most 1, not {rate}")
