"""Settings of the search. No torch here: a form reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cfcore.settings import setting

from ..refinement import REFINEMENT, check_refine, refine_setting
from ..settings import Settings

if TYPE_CHECKING:
    import torch

Basis = Literal["sefa", "balanced", "style"]
SPARE = 4  # pairs beyond the k wanted that must survive every halving


def batch_size(device: torch.device) -> int:
    """Pictures drawn and judged at once: on a CPU 16 fits the caches and 64 is slower; a GPU wants to be filled."""
    return 16 if device.type == "cpu" else 128


@dataclass(frozen=True)
class EigenFindConfig(Settings):
    """Settings of the search.

    Attributes:
        basis: "sefa" (what the authors ran): right singular vectors of the stacked style-affine weights, unit length,
            w + d v in every layer. "balanced" (ours): the same with the spread of the codes taken into account, each as
            long as its change is visible (balanced.py). "style": PCA of the StyleSpace activations over encoded images,
            edit of the styles.
        scan: eigenvectors scanned, by falling singular value: 8 is Algorithm 1 to the letter, 20 what the authors ran.
        k: (eigenvector, sign) pairs kept.
        degree: d, the distance moved along the unit eigenvector; "balanced": 10 is a mean change of 0.085.
        consistent: drop an eigenvector whose two signs both raise the mean margin.
        prerank: (ours) measure only this many pairs, those of the highest first-order effect (one backward pass an
            image); 0 measures all.
        halving: (ours) rounds of successive halving: after each further eighth of the images the worse half of the
            pairs is dropped, never below k + 4; 0 measures every pair on every image.
        race: (ours) drop a pair as soon as its mean change lies so many standard errors below that of the k-th best
            (see race.py); 3 is cautious, 2 fast, 0 measures every pair on every image.
        refine: (StylEx) optimiser steps that bring each image's code closer to the image, in w+, before it is
            searched and explained; 0 takes the encoder's code. refine_rate: rate of its first step.
    """

    groups: ClassVar[Mapping[str, str]] = {
        REFINEMENT: "Off: every direction is measured on every image, with the encoder's code."
    }

    basis: Literal["sefa", "balanced", "style"] = setting(
        "sefa",
        help="sefa: singular vectors of the style weights (what the authors ran). balanced: the same, weighed by the "
        "spread of the codes and of equal visible change; flips more images with the shipped generators, fewer with "
        "some others, so compare. style: principal components of the style activations.",
    )
    scan: int = setting(
        20, low=1, high=512, help="Eigenvectors searched, both signs each. 8: Algorithm 1; 20: what the authors ran."
    )
    k: int = setting(8, low=1, high=512, help="(eigenvector, sign) pairs kept, in order of the mean logit change.")
    degree: float = setting(
        10.0,
        low=0.1,
        high=100.0,
        step=0.5,
        help="How far an image is moved along a unit vector; balanced: 10 changes it by 0.085 on average.",
    )
    consistent: bool = setting(False, label="Drop eigenvectors whose two signs both raise the logit")
    prerank: int = setting(
        0,
        low=0,
        high=1024,
        group=REFINEMENT,
        help="Measure only so many pairs: those with the largest first-order effect, by one backward pass an image. At "
        "degree 10 this loses good directions; race seldom does. 0: measure all.",
    )
    halving: int = setting(
        0,
        low=0,
        high=4,
        group=REFINEMENT,
        help="Successive halving: after each further eighth of the images the worse half of the directions is dropped, "
        "so many times. Without race. 0: none.",
    )
    race: float = setting(
        0.0,
        low=0.0,
        high=10.0,
        step=0.5,
        group=REFINEMENT,
        help="Stop measuring a direction once it lies so many standard errors below the k-th best. 3 keeps the same "
        "directions in nearly every search and saves more than half of the time. 0: measure all.",
    )
    refine: int = refine_setting()
    refine_rate: float = setting(0.1, shown=False)

    def __post_init__(self) -> None:
        if self.basis not in ("sefa", "balanced", "style"):
            raise ValueError(f'basis must be "sefa", "balanced" or "style", not {self.basis!r}')
        if self.scan < 1 or self.k < 1:
            raise ValueError(f"scan and k must be at least 1, not {self.scan} and {self.k}")
        if not self.degree > 0:
            raise ValueError(f"degree must be positive, not {self.degree}: both signs are searched anyway")
        if self.prerank and not self.k <= self.prerank <= 2 * self.scan:
            raise ValueError(f"prerank must be 0 or from k = {self.k} to 2 scan = {2 * self.scan}, not {self.prerank}")
        if not 0 <= self.halving <= 4:
            raise ValueError(f"halving must be from 0 to 4 rounds, not {self.halving}")
        if self.race and not 1 <= self.race <= 10:
            raise ValueError(f"race must be 0 or from 1 to 10 standard errors, not {self.race}")
        if self.race and self.halving:
            raise ValueError("race drops weak pairs by itself: set halving to 0")
        check_refine(self.refine, self.refine_rate)
        if self.consistent and (self.prerank or self.halving or self.race):
            raise ValueError("consistent compares both signs of every eigenvector: set prerank, halving and race to 0")

    def drawings_an_image(self, generator_card: Mapping[str, Any]) -> int:
        """Both signs of every eigenvector, or as many as `prerank` leaves."""
        return self.prerank or 2 * self.scan
