"""Settings of ablation. No torch here: a form reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from cfcore.attribution.names import BASELINES, FILLS, Fill
from cfcore.settings import setting

from ..medxgan.config import INVERSION, MedXGANConfig, patience_setting, restarts_setting, warm_setting
from ..settings import Settings

MOST = 30.0  # per cent of the pixels, the end of the curves of METHODS 2


@dataclass(frozen=True)
class AblationConfig(Settings):
    """Settings of every ablation.

    Attributes:
        degree: per cent of the pixels that are replaced, in (0, 30].
        fill: what they are replaced with: one of `cfcore.attribution.names`, or "all": each is ranked, and an image is
            explained by the first that flips it.
    """

    degree: float = setting(
        10.0, low=1.0, high=MOST, step=1.0, help="Per cent of the pixels that are replaced, those that matter most."
    )
    fill: Literal["all", "mean", "blur", "black", "white", "noise", "inpaint"] = setting(
        "all",
        help="What stands in their place. all: each of the six is measured, and an image is explained by the first "
        "that flips it, in the order of their mean logit change. mean: the image's mean, as in seed 001.",
    )

    def __post_init__(self) -> None:
        if not 0 < self.degree <= MOST:
            raise ValueError(f"degree is {self.degree:g}: choose above 0 and at most {MOST:g} per cent of the pixels")
        if self.fill not in ("all", *FILLS):
            raise ValueError(f"no fill {self.fill!r}; choose one of: all, {', '.join(FILLS)}")

    @property
    def fills(self) -> tuple[Fill, ...]:
        """The fills that are ranked."""
        return FILLS if self.fill == "all" else (self.fill,)

    def drawings_an_image(self, generator_card: Mapping[str, Any]) -> int:
        return len(self.fills)


@dataclass(frozen=True)
class GradCamConfig(AblationConfig):
    """Settings of Grad-CAM: those of every ablation."""


@dataclass(frozen=True)
class IntegratedGradientsConfig(AblationConfig):
    """Settings of Integrated Gradients.

    Attributes:
        baseline: where the path in pixels starts. steps: points of the quadrature.
    """

    baseline: Literal["black", "mean", "blur"] = setting(
        "black", help="The image that the path starts from; black as in seed 001."
    )
    steps: int = setting(50, low=5, high=500, step=5, help="Gradients an image; more make the map add up better.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.baseline not in BASELINES:
            raise ValueError(f"no baseline {self.baseline!r}; choose one of: {', '.join(BASELINES)}")
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}: choose at least 1")


@dataclass(frozen=True)
class LatentConfig(AblationConfig):
    """Settings of the maps that come from a medXGAN generator: its inversion, as in `MedXGANConfig`."""

    groups: ClassVar[Mapping[str, str]] = {
        INVERSION: "Off: up to 10,000 steps from the encoder's code, ended when nothing is gained any more."
    }

    search: int = setting(
        10_000, low=0, high=100_000, group=INVERSION, help="Optimiser steps an image, at most.", label="search steps"
    )
    patience: int = patience_setting()
    restarts: int = restarts_setting()
    warm: bool = warm_setting()

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.inversion

    @property
    def inversion(self) -> MedXGANConfig:
        """The settings that find z1 and z2. Raises ValueError for a number that cannot be."""
        return MedXGANConfig(steps=self.search, patience=self.patience, restarts=self.restarts, warm=self.warm)


@dataclass(frozen=True)
class DifferenceConfig(LatentConfig):
    """Settings of the difference map: those of the inversion."""


@dataclass(frozen=True)
class LIGConfig(LatentConfig):
    """Settings of latent Integrated Gradients.

    Attributes:
        form: "published": seed 001, equation 7. "path": ours, which adds up. "pixels": IG of the image itself, with
            its realisation of the other class as the baseline.
        steps: gradients along the path.
    """

    form: Literal["published", "path", "pixels"] = setting(
        "published",
        help="published: the difference of the two ends times the mean gradient, as in seed 001; it does not add up. "
        "path: the gradient times the change of every step, which adds up to the change of the classifier's logit. "
        "pixels: Integrated Gradients of the image itself, straight from its realisation of the other class.",
    )
    steps: int = setting(64, low=4, high=512, step=4, help="Gradients an image along the path.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in ("published", "path", "pixels"):
            raise ValueError(f"no form {self.form!r}; choose one of: published, path, pixels")
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}: choose at least 1")
