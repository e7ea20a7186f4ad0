"""What a form asks before a generator is trained. No torch here: pages read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from cfcore.settings import setting


class TrainingChoices(Protocol):
    """A frozen dataclass of `cfcore.settings`, one for each kind of generator."""

    def settings(self) -> dict[str, Any]:
        """The settings of the training run."""


@dataclass(frozen=True)
class StylExChoices:
    """A short training on a CPU: reconstruction first, the GAN terms for its last third."""

    iterations: int = setting(
        6000, label="Iterations", low=10, high=1_000_000, step=500, help="The paper: 40,000 of batch 32"
    )
    batch: int = setting(16, label="Batch", low=2, high=256)
    adversarial_from: int = setting(
        4000,
        label="Adversarial from",
        low=0,
        high=1_000_000,
        step=500,
        help="Iteration at which the GAN terms join; the paper: 0",
    )

    def settings(self) -> dict[str, Any]:
        return {
            "iterations": self.iterations,
            "batch": self.batch,
            "losses": {"adversarial_from": self.adversarial_from, "classifier_every": 2},
        }


@dataclass(frozen=True)
class MedXGANChoices:
    """A training on a CPU: with our encoder, or as in the paper."""

    iterations: int = setting(8000, label="Iterations", low=10, high=1_000_000, step=500)
    batch: int = setting(32, label="Batch", low=2, high=256)
    recipe: Literal["covered", "guided", "paper"] = setting(
        "covered",
        label="Recipe",
        help="covered: an encoder is trained along, so that every image has a code. guided: and the classifier's "
        "activations are kept, for small findings. paper: the GAN alone.",
    )

    def settings(self) -> dict[str, Any]:
        return {"iterations": self.iterations, "batch": self.batch, "recipe": self.recipe}


@dataclass(frozen=True)
class MirrorChoices:
    """A training on a CPU: with our weights, or with the paper's."""

    iterations: int = setting(4000, label="Iterations", low=10, high=1_000_000, step=500)
    batch: int = setting(32, label="Batch", low=4, high=256)
    recipe: Literal["quick", "paper"] = setting(
        "quick",
        label="Recipe",
        help="quick: our weights and rate, the classifier asked at every second iteration. paper: equal weights, 1e-4.",
    )
    points: Literal["pairwise", "closed form"] = setting(
        "pairwise",
        label="Mirror of",
        help="pairwise: source and target alone. closed form: all other classes keep their probabilities.",
    )

    def settings(self) -> dict[str, Any]:
        return {"iterations": self.iterations, "batch": self.batch, "recipe": self.recipe, "points": self.points}
