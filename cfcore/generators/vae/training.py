"""Training the VAE on the one training loop. No classifier has a say in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.generators.averaged import AveragedTask, grid_of
from cfcore.generators.drawn_quality import redrawn_quality

from .model import VAE

BATCH = 64


@dataclass(frozen=True)
class VAETraining:
    """The loss is -log p(x | z) summed over pixels, plus beta KL(q(z | x) || N(0, I)); all divided by the pixels.

    Attributes:
        likelihood: "l1": Laplace, |x - G(z)| / scale; "gaussian": (x - G(z))^2 / (2 scale^2).
        scale: of the noise that the likelihood takes for granted, in grey values; the smaller, the sharper the
            drawings and the less normal the latent. beta: 1 is the VAE's bound (Kingma & Welling 2014).
        warm_up: iterations in which beta rises to its value in equal steps and the likelihood is gaussian in any case:
            where most pixels are black, L1 alone first learns a black picture, and stays with it.
        rate: of Adam. half_life: images after which the running average has forgotten half.

    Raises:
        ValueError: an unknown likelihood, or no scale.
    """

    likelihood: Literal["l1", "gaussian"] = "l1"
    scale: float = 0.1
    beta: float = 1.0
    warm_up: int = 300
    rate: float = 2e-3
    half_life: float = 4_000

    def __post_init__(self) -> None:
        if self.likelihood not in ("l1", "gaussian"):
            raise ValueError(f"no likelihood {self.likelihood!r}; choose l1 or gaussian")
        if self.scale <= 0 or self.beta < 0:
            raise ValueError(f"scale {self.scale:g} and beta {self.beta:g}: choose above 0, and at least 0")


L1 = VAETraining()
RECIPES = {"l1": L1, "gaussian": replace(L1, likelihood="gaussian")}


class VAETask(AveragedTask[VAE]):
    """One iteration: codes drawn from q(z | x), their drawings, one step. See `AveragedTask`."""

    def __init__(
        self, model: VAE, settings: VAETraining, generator: torch.Generator, iterations: int | None = None
    ) -> None:
        super().__init__(
            model, generator, iterations, rate=settings.rate, betas=(0.9, 0.999), half_life=settings.half_life
        )
        self.settings = settings

    def step(self, batch: tuple[Tensor, ...], iteration: int, fabric: Fabric) -> dict[str, float]:
        s, images = self.settings, self.begin(batch[0], iteration)
        mean, log_variance = self.model.posterior(images)
        drawn = self.model.decode(mean + (0.5 * log_variance).exp() * self.normal(len(mean), mean.shape[1], mean))
        l1 = (drawn - images).abs().mean()
        squared = (drawn - images).square().mean() / (2 * s.scale**2)
        misfit = l1 / s.scale if s.likelihood == "l1" and iteration >= s.warm_up else squared
        beta = s.beta * min(1.0, (iteration + 1) / max(1, s.warm_up))
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        if self.update("model", misfit + beta * divergence / images[0].numel(), fabric):
            self.follow(len(images))
        return {"l1": l1.item(), "divergence": divergence.item()}

    @torch.no_grad()
    def held_out(self) -> float | None:
        """L1 of G(E(x)) on `held_out_images`."""
        if self.held_out_images is None:
            return None
        errors = []
        for chunk in self.held_out_images.split(BATCH):
            images = chunk.float() / 255
            errors.append((self.average.decode(self.average.encode(images)) - images).abs().mean(dim=(1, 2, 3)))
        return torch.cat(errors).mean().item()

    @torch.no_grad()
    def picture(self) -> Tensor | None:
        """Rows: images, their drawings, drawings of z ~ N(0, I) (always the same z, from a source of its own)."""
        if self._seen is None:
            return None
        z = torch.randn(len(self._seen), self.model.config.latent, generator=torch.Generator().manual_seed(0))
        own = self.average.decode(self.average.encode(self._seen))
        return grid_of([self._seen, own, self.average.decode(z.to(self._seen))])


def quality(model: VAE, classifier: Classifier, images: Tensor) -> dict[str, float]:
    """`redrawn_quality` of G(E(x)) of (n, channels, size, size) uint8 images."""
    return redrawn_quality(lambda real, _: model.decode(model.encode(real)), classifier, images)
