"""Settings of Mirror-CFE. No torch here: a form reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from cfcore.settings import setting

from ..settings import Settings

PRIOR = "Where the picture may change"


@dataclass(frozen=True)
class MirrorCFEConfig(Settings):
    """The way to the mirror image, and how finely it is walked.

    Attributes:
        points: see `cfcore.mirror.points.step_of`; "as trained": that of the decoder.
        step: of the grid of k on which the first counterfactual is searched.
        search: "every step" tries the grid from k = 0 up, as the definition says; "bisection" takes it that the class
            changes once, and draws seven pictures in the place of some fifty.
        bounds: "own": `upper` and `lower` are tau at k = 0 and k = 1; "as trained": those of the decoder.

    Raises:
        ValueError: a step that is not in (0, 1], or bounds that cannot be.
    """

    groups: ClassVar[Mapping[str, str]] = {PRIOR: "Where the decoder has learned to change it."}

    points: Literal["as trained", "pairwise", "closed form", "L-BFGS"] = setting(
        "as trained",
        label="Mirror of",
        help="pairwise: source and target alone. closed form and L-BFGS: all other classes keep their probabilities.",
    )
    step: float = setting(
        0.01, low=0.001, high=0.5, step=0.01, help="Of k, in which the first counterfactual is searched."
    )
    search: Literal["every step", "bisection"] = setting(
        "every step", help="bisection: faster; takes it that the class changes once on the way."
    )
    bounds: Literal["as trained", "own"] = setting("as trained", group=PRIOR, label="Thresholds of the prior mask")
    upper: float = setting(0.9, low=0.0, high=1.0, step=0.05, group=PRIOR, label="Threshold at k = 0, where own")
    lower: float = setting(0.1, low=0.0, high=1.0, step=0.05, group=PRIOR, label="Threshold at k = 1, where own")

    def __post_init__(self) -> None:
        if not 0 < self.step <= 1:
            raise ValueError(f"step is {self.step:g}: choose a number above 0, at most 1")
        if not 0 <= self.lower <= self.upper <= 1:
            raise ValueError(
                f"the threshold falls from {self.upper:g} to {self.lower:g}: choose 0 to 1, the upper one first"
            )

    @property
    def last(self) -> int:
        """Steps from k = 0 to k = 1."""
        return math.ceil(1 / self.step - 1e-9)

    def drawings_an_image(self, generator_card: Mapping[str, Any]) -> int:
        """At most: the first counterfactual is often found halfway."""
        return self.last + 1 if self.search == "every step" else math.ceil(math.log2(self.last)) + 1
