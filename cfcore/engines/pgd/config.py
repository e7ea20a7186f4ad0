"""Settings of PGD. No torch here: a form reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cfcore.settings import setting

from ..settings import Settings


@dataclass(frozen=True)
class PGDConfig(Settings):
    """How far and how long pixels move.

    Attributes:
        budget: the most that a pixel moves, of the grey range [0, 1]: 8/255, usual for photographs, or 0.3, that of
            Madry et al. on MNIST.
        step: what a pixel moves at a time.
        steps: at most budget / step of them lead away from the image; the others settle.

    Raises:
        ValueError: a number that cannot be.
    """

    budget: float = setting(
        8 / 255,
        low=0.001,
        high=1.0,
        step=0.001,
        help="The most that any pixel moves, of the grey range. 0.031 is 8/255, usual for photographs; 0.3 is usual "
        "for handwritten digits.",
    )
    steps: int = setting(100, low=1, high=10_000, help="Steps an image; more than the budget divided by a step.")
    step: float = setting(1 / 255, shown=False)

    def __post_init__(self) -> None:
        if not 0 < self.budget <= 1:
            raise ValueError(f"budget is {self.budget:g}: choose above 0 and at most 1, of the grey range")
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}: choose at least 1")
        if not self.step > 0:
            raise ValueError(f"step is {self.step:g}: choose a number above 0")

    def drawings_an_image(self, generator_card: Mapping[str, Any]) -> int:
        """One a step."""
        return self.steps
