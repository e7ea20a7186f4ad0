"""Settings of REVISE. No torch here: a form reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cfcore.settings import setting

from ..settings import Settings


@dataclass(frozen=True)
class ReviseConfig(Settings):
    """How a latent is searched.

    Attributes:
        weight: of the L1 distance to the image beside the cross-entropy.
        distance: "sum" over the pixels, the norm of the paper; "mean": the same weight for every image size.
        rate: of Adam. steps: at most. patience: steps after the flip without a nearer flip, after which an image ends.

    Raises:
        ValueError: a number that cannot be, or an unknown distance.
    """

    weight: float = setting(0.5, low=0.0, high=1000.0, step=0.1, help="Of the L1 distance beside the cross-entropy.")
    distance: Literal["sum", "mean"] = setting(
        "sum", help="L1 over the pixels. sum: the paper's norm, which holds larger images back more. mean: alike."
    )
    rate: float = setting(0.1, low=0.001, high=1.0, step=0.01, help="Of Adam.")
    steps: int = setting(500, low=1, high=10_000, help="Steps an image, at most.")
    patience: int = setting(
        20, low=0, high=10_000, help="Steps after the flip without a nearer flip, after which an image ends."
    )

    def __post_init__(self) -> None:
        for name, least in (("weight", 0), ("steps", 1), ("patience", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: choose at least {least}")
        if not self.rate > 0:
            raise ValueError(f"rate is {self.rate:g}: choose a number above 0")
        if self.distance not in ("sum", "mean"):
            raise ValueError(f"no distance {self.distance!r}; choose sum or mean")

    def drawings_an_image(self, generator_card: Mapping[str, Any]) -> int:
        """One a step; most images end earlier."""
        return self.steps
