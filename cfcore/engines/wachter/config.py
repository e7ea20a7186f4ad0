"""Settings of Wachter's method. No torch here: a form reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cfcore.settings import setting

from ..settings import Settings


@dataclass(frozen=True)
class WachterConfig(Settings):
    """How the loss weighs the class against the distance, and how it is minimised.

    Attributes:
        loss: "cross-entropy": -log p(target); "squared": (p(target) - 1)^2, as published.
        weight: lambda of the first round. growth: its factor from one round to the next.
        rounds: at most; an image leaves after the first in which it flips. steps: of Adam, a round. rate: of Adam.

    Raises:
        ValueError: a number that cannot be.
    """

    loss: Literal["cross-entropy", "squared"] = setting(
        "cross-entropy",
        help="cross-entropy: minus the logarithm of the target's probability. squared: its squared distance from 1, as "
        "published; where the classifier is certain its gradient vanishes, and only a large weight moves the image.",
    )
    rounds: int = setting(12, low=1, high=60, help="Times that the weight of the class is raised, at most.")
    steps: int = setting(100, low=1, high=10_000, help="Steps of Adam in every round.")
    weight: float = setting(1.0, shown=False)
    growth: float = setting(2.0, shown=False)
    rate: float = setting(0.01, shown=False)

    def __post_init__(self) -> None:
        if self.loss not in ("cross-entropy", "squared"):
            raise ValueError(f"no loss {self.loss!r}; choose one of: cross-entropy, squared")
        for name in ("rounds", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: choose at least 1")
        for name in ("weight", "rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name):g}: choose a number above 0")
        if not self.growth > 1:
            raise ValueError(f"growth is {self.growth:g}: choose a factor above 1")

    def drawings_an_image(self, generator_card: Mapping[str, Any]) -> int:
        """One a step, at most."""
        return self.rounds * self.steps
