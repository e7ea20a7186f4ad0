"""Settings of the inversion and of the realisations. No torch here: a form reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from cfcore.settings import setting

from ..settings import Settings

INVERSION = "Inversion"


def patience_setting() -> Any:
    """The field that every method with an inversion has."""
    return setting(
        50,
        low=0,
        high=10_000,
        group=INVERSION,
        help="Steps without gain after which the rate falls to a tenth, and the second time the search ends. 0: take "
        "all steps, as the paper does.",
    )


def restarts_setting() -> Any:
    """The field that every method with an inversion has."""
    return setting(1, low=1, high=20, group=INVERSION, help="Independent starts an image; the best is taken.")


def warm_setting() -> Any:
    """The field that every method with an inversion has."""
    return setting(True, group=INVERSION, label="Start from the encoder's code, where there is an encoder")


@dataclass(frozen=True)
class MedXGANConfig(Settings):
    """How latents are searched and how many pathologies are drawn.

    Attributes:
        steps, rate, patience, restarts, warm, keep_negative: see `cfcore.generators.medxgan.inversion.Search`. The
            paper takes 10,000 steps from N(0, I), without patience, with z2 free for every image.
        realisations: pathologies z2 ~ N(0, I) that are tried on a negative image.
        seed: of starts and pathologies.

    Raises:
        ValueError: a number that cannot be.
    """

    groups: ClassVar[Mapping[str, str]] = {
        INVERSION: "Up to 10,000 steps from the encoder's code, ended when nothing is gained any more."
    }

    realisations: int = setting(
        8, low=1, high=64, help="Pathologies drawn for a negative image, each a direction of its own."
    )
    steps: int = setting(10_000, low=0, high=100_000, group=INVERSION, help="Optimiser steps an image, at most.")
    patience: int = patience_setting()
    restarts: int = restarts_setting()
    warm: bool = warm_setting()
    keep_negative: bool = setting(
        True, group=INVERSION, label="Leave the pathology at 0 for images that the classifier calls negative"
    )
    rate: float = setting(0.05, shown=False)
    seed: int = setting(0, low=0, high=2**31 - 1, group=INVERSION, help="Of the starts and the pathologies drawn.")

    def __post_init__(self) -> None:
        for name, least in (("realisations", 1), ("steps", 0), ("patience", 0), ("restarts", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: choose at least {least}")
        if not self.rate > 0:
            raise ValueError(f"rate is {self.rate:g}: choose a number above 0")

    def drawings_an_image(self, generator_card: Mapping[str, Any]) -> int:
        """One a realisation, towards the positive class; the inversion's steps come on top and end when they will."""
        return self.realisations
