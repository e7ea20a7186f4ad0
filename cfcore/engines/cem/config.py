"""Settings of CEM. No torch here: a form reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cfcore.settings import setting

from ..settings import Settings


@dataclass(frozen=True)
class CEMConfig(Settings):
    """How pertinent negatives are searched; defaults are those of the authors' program.

    A form begins with fewer searches and steps: 9,000 passes through C an image take minutes.

    Attributes:
        change: "add": pixels only grow brighter, as published (black is "nothing there"); "any": both ways.
        shrink: "published": every step takes beta from every change; "proximal": step size times beta, which minimises
            the stated loss.
        beta: weight of the L1 distance. kappa: logits by which the target must exceed every other class.
        weight: c of the first search. searches: values of c. steps: of FISTA, a search. rate: first step size.
        gamma: weight of the autoencoder's squared error; above 0 the method needs a VAE as its generator.

    Raises:
        ValueError: a number that cannot be.
    """

    change: Literal["add", "any"] = setting(
        "add", help="add: pixels only grow brighter, as published: what is absent is added. any: darker, too."
    )
    shrink: Literal["published", "proximal"] = setting(
        "published",
        help="published: every step takes beta from every pixel's change. proximal: beta times the step size, which "
        "minimises the stated loss.",
    )
    kappa: float = setting(
        0.0, low=0.0, high=20.0, step=0.5, help="Logits by which the target must exceed every other class."
    )
    beta: float = setting(0.1, low=0.0, high=1.0, step=0.01, help="Weight of the L1 distance beside the squared L2.")
    searches: int = setting(
        9, proposal=5, low=1, high=20, help="Values of the class weight that are tried; the authors' program takes 9."
    )
    steps: int = setting(
        1000, proposal=200, low=2, high=10_000, help="Steps for every value; the authors' program takes 1,000."
    )
    weight: float = setting(10.0, shown=False)
    rate: float = setting(0.01, shown=False)
    gamma: float = setting(0.0, shown=False)

    def __post_init__(self) -> None:
        if self.change not in ("add", "any"):
            raise ValueError(f"no change {self.change!r}; choose one of: add, any")
        if self.shrink not in ("published", "proximal"):
            raise ValueError(f"no shrink {self.shrink!r}; choose one of: published, proximal")
        for name, least in (("kappa", 0), ("beta", 0), ("gamma", 0), ("searches", 1), ("steps", 2)):
            if not getattr(self, name) >= least:
                raise ValueError(f"{name} is {getattr(self, name):g}: choose at least {least}")
        for name in ("weight", "rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name):g}: choose a number above 0")

    def drawings_an_image(self, generator_card: Mapping[str, Any]) -> int:
        """One a step."""
        return self.searches * self.steps
