"""Weights of Mirror-CFE's losses and rates of its optimisers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class MirrorTraining:
    """The defaults are the paper's, as METHODS 5 reads it.

    Attributes:
        rate, beta: of Adam, (beta, 0.999). falling: the rate falls along half a cosine to 0.
        class_weight: of KL between C's probabilities of a drawing and those intended, of z_k and of real images.
        divergence: "obtained": the mean of the logarithm's difference under what the drawing obtains, as METHODS
            writes it; its gradient vanishes where C is sure of the wrong class. "intended": under what is intended, as
            for a cross-entropy.
        adversarial_weight: of the non-saturating GAN loss of drawings on the way.
        reconstruction_weight: of |x - G(F(x))|, mean over pixels; edge_weight: of the same between neighbouring
            pixels' differences (ours).
        feature_weight: of |z_k - F(G(z_k))|_2, mean over images.
        triangulation_weight, lam: see `cfcore.mirror.triangulation`. triangulation_most: what an image may add to its
            mean; above, it adds no gradient. The ratio of distances has no bound where a source lies at the boundary.
        classifier_every: iterations between two looks of C at drawings, whose terms then count that many times. C's
            backward pass is the dearest part on a CPU.
        jitter: pixels, by up to which every second drawing is shifted, up or down and left or right, before C looks at
            it (ours): what C reads from a fine grid, it does not read from the grid a pixel further.
        reconstructed: share of the batch that is reconstructed beside the points on the way.
        seen_again: share of the reconstructions that C looks at, for the KL on real images.
        remembered: gigabytes for what C saw in training images, see `memory.Memory`.
        half_life: images after which the running average of G has forgotten half; 0 keeps no average.
    """

    rate: float = 1e-4
    beta: float = 0.9
    falling: bool = False
    class_weight: float = 1.0
    divergence: Literal["intended", "obtained"] = "obtained"
    adversarial_weight: float = 1.0
    reconstruction_weight: float = 1.0
    edge_weight: float = 0.0
    feature_weight: float = 1.0
    triangulation_weight: float = 1.0
    lam: float = 1.5
    triangulation_most: float = float("inf")
    classifier_every: int = 1
    jitter: int = 0
    reconstructed: float = 1.0
    seen_again: float = 1.0
    remembered: float = 0.0
    half_life: float = 0.0

    def __post_init__(self) -> None:
        if self.divergence not in ("intended", "obtained"):
            raise ValueError(f"no divergence {self.divergence!r}; choose intended or obtained")
        if self.jitter < 0:
            raise ValueError(f"jitter {self.jitter}: choose at least 0 pixels")
        if self.classifier_every < 1 or not 0 < self.reconstructed <= 1 or not 0 <= self.seen_again <= 1:
            raise ValueError(
                f"classifier_every {self.classifier_every}, reconstructed {self.reconstructed:g}, seen_again "
                f"{self.seen_again:g}: choose at least 1, and shares of at most 1"
            )


PAPER = MirrorTraining()
QUICK = replace(
    PAPER,
    rate=1e-3,
    falling=True,
    divergence="intended",
    adversarial_weight=1.0,
    reconstruction_weight=20.0,
    edge_weight=5.0,
    feature_weight=0.05,
    triangulation_weight=5.0,
    triangulation_most=0.5,
    classifier_every=2,
    jitter=2,
    reconstructed=0.5,
    seen_again=0.5,
    remembered=2.0,
    half_life=2_000,
)
"""Ours, for a CPU: pictures within minutes, and C asked at every second iteration."""

RECIPES = {"quick": QUICK, "paper": PAPER}
