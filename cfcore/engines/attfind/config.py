"""Settings of the search. No torch here: a form reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from cfcore.settings import setting

from ..refinement import REFINEMENT, check_refine, refine_setting
from ..settings import Settings


@dataclass(frozen=True)
class AttFindConfig(Settings):
    """Settings of the search.

    Attributes:
        k: (coordinate, sign) pairs kept.
        degree: share of the way from an image's own style value to the lowest or highest of the training images; 1
            goes all the way.
        selection: how an image is explained with the kept pairs. "independent": by the first that flips it alone.
            "subset": by pairs added greedily until it flips, at most 10.
        verified: share of all 2 m pairs that are drawn and classified on every image. 1: all of them, as in the
            paper. Below 1: those that gradients rank best; the rest is not searched.
        refine: optimiser steps that bring each image's code closer to the image, in w+, before it is searched and
            explained; 0 takes the encoder's code. refine_rate: rate of its first step.
    """

    groups: ClassVar[Mapping[str, str]] = {REFINEMENT: "Off: the encoder's code is explained."}

    k: int = setting(10, low=1, high=512, help="(coordinate, direction) pairs kept, by the mean logit change.")
    degree: float = setting(
        1.0,
        low=0.1,
        high=10.0,
        step=0.1,
        help="1: all the way to the lowest or highest value of the training images; more leaves their range.",
    )
    selection: Literal["independent", "subset"] = setting(
        "independent",
        proposal="subset",
        help="subset: pairs are added, the most helpful first, until the image flips (at most 10). independent: the "
        "first kept pair that flips it alone; few single coordinates do.",
    )
    verified: float = setting(
        1.0,
        proposal=0.04,
        percent=True,
        label="verified, %",
        low=0.5,
        high=100.0,
        step=0.5,
        help="Gradients rank all moves by one pass an image; the best of them, so many per cent, are drawn and "
        "classified. 100: every coordinate in both directions, as in the paper; takes long.",
    )
    refine: int = refine_setting()
    refine_rate: float = setting(0.1, shown=False)

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k must be at least 1, not {self.k}")
        if not 0 < self.degree < math.inf:
            raise ValueError(
                f"degree must be positive, not {self.degree}: both ends of a coordinate are searched anyway"
            )
        if self.selection not in ("independent", "subset"):
            raise ValueError(f'selection must be "independent" or "subset", not {self.selection!r}')
        if not 0 < self.verified <= 1:
            raise ValueError(f"verified is a share above 0 and at most 1 (1 searches all pairs), not {self.verified}")
        check_refine(self.refine, self.refine_rate)

    def drawings_an_image(self, generator_card: Mapping[str, Any]) -> int:
        """Each of the m styles both ways, or the share `verified` of that. A style belongs to an input channel of a
        convolution; the channels of a resolution enter its last one and, but for the highest, the next one's first."""
        shape = generator_card.get("config", {})
        widths = {int(side): int(n) for side, n in shape.get("channels", {}).items()}
        sides = sorted(side for side in widths if side <= int(shape.get("size", 0)))
        m = sum(widths[side] * (1 + (side < sides[-1])) for side in sides)
        return math.ceil(self.verified * 2 * m)
