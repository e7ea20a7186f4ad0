"""What a form asks before a VAE, ExplainGAN or C3LT is trained. No torch here: pages read it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from cfcore.settings import setting


@dataclass(frozen=True)
class VAEChoices:
    """A training of a VAE on a CPU."""

    iterations: int = setting(6000, label="Iterations", low=10, high=1_000_000, step=500)
    batch: int = setting(64, label="Batch", low=2, high=256)
    recipe: Literal["l1", "gaussian"] = setting(
        "l1",
        label="Likelihood of the pixels",
        help="l1: a Laplace distribution, sharper edges. gaussian: a normal one.",
    )

    def settings(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ExpGANChoices:
    """A training of ExplainGAN on a CPU, or with the classifier asked at every iteration."""

    iterations: int = setting(4000, label="Iterations", low=10, high=1_000_000, step=500)
    batch: int = setting(32, label="Batch", low=2, high=256)
    recipe: Literal["short", "full"] = setting(
        "short", label="Recipe", help="short: the classifier is asked every second iteration. full: at every one."
    )

    def settings(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class C3LTChoices:
    """A training of C3LT on a CPU, or with the settings of the paper's code."""

    iterations: int = setting(2000, label="Iterations", low=10, high=1_000_000, step=500)
    batch: int = setting(32, label="Batch", low=2, high=256, help="The paper's code: 128")
    recipe: Literal["short", "paper"] = setting(
        "short", label="Recipe", help="short: the classifier is asked every second iteration. paper: at every one."
    )

    def settings(self) -> dict[str, Any]:
        return asdict(self)
