"""Settings of the search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

SPARE = 4  # pairs beyond the k wanted that must survive every halving


def batch_size(device: torch.device) -> int:
    """Pictures drawn and judged at once: on a CPU 16 fits the caches and 64 is slower; a GPU wants to be filled."""
    return 16 if device.type == "cpu" else 128


@dataclass(frozen=True)
class EigenFindConfig:
    """Settings of the search.

    Attributes:
        basis: "sefa" (what the authors ran): right singular vectors of the stacked style-affine weights, unit length,
            w + d v in every layer. "style": PCA of the StyleSpace activations over encoded images, edit of the styles.
        scan: eigenvectors scanned, by falling singular value: 8 is Algorithm 1 to the letter, 20 what the authors ran.
        k: (eigenvector, sign) pairs kept.
        degree: d, the distance moved along the unit eigenvector.
        consistent: drop an eigenvector whose two signs both raise the mean margin.
        prerank: (ours) measure only this many pairs, those of the highest first-order effect (one backward pass an
            image); 0 measures all.
        halving: (ours) rounds of successive halving: after each further eighth of the images the worse half of the
            pairs is dropped, never below k + 4; 0 measures every pair on every image.
    """

    basis: Literal["sefa", "style"] = "sefa"
    scan: int = 20
    k: int = 8
    degree: float = 10.0
    consistent: bool = False
    prerank: int = 0
    halving: int = 0

    def __post_init__(self) -> None:
        if self.basis not in ("sefa", "style"):
            raise ValueError(f'basis must be "sefa" or "style", not {self.basis!r}')
        if self.scan < 1 or self.k < 1:
            raise ValueError(f"scan and k must be at least 1, not {self.scan} and {self.k}")
        if not self.degree > 0:
            raise ValueError(f"degree must be positive, not {self.degree}: both signs are searched anyway")
        if self.prerank and not self.k <= self.prerank <= 2 * self.scan:
            raise ValueError(f"prerank must be 0 or from k = {self.k} to 2 scan = {2 * self.scan}, not {self.prerank}")
        if not 0 <= self.halving <= 4:
            raise ValueError(f"halving must be from 0 to 4 rounds, not {self.halving}")
        if self.consistent and (self.prerank or self.halving):
            raise ValueError("consistent compares both signs of every eigenvector: set prerank and halving to 0")
