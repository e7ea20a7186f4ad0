"""Gradient steps in a VAE's latent."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from cfcore.classifiers.base import Classifier, is_class
from cfcore.generators.averaged import check_pair
from cfcore.generators.vae import VAE

from ..base import Progress
from ..drawn import LatentLine
from .config import ReviseConfig

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of Adam


class Revise(LatentLine):
    """min over z of cross-entropy(C(G(z)), target) + weight |x - G(z)|_1 by Adam, from the encoder's code of x.

    An image ends `patience` steps after its flip, and keeps the flipped point whose drawing lies nearest to it. One
    that no step flips fails; its picture is the drawing with the lowest loss. The straight line in the latent from
    the code to what was found lies between degree 0 and 1.
    """

    name = "revise"
    title = "REVISE"
    label = "REVISE"
    paper = (
        "Joshi et al., Towards realistic individual recourse and actionable explanations in black-box decision making "
        "systems, 2019; with a VAE"
    )
    generator_kind = VAE.kind
    network, article = VAE, "a VAE"
    Config = ReviseConfig
    config: ReviseConfig
    generator: VAE

    def __init__(self, classifier: Classifier, config: ReviseConfig, generator: nn.Module | None = None) -> None:
        super().__init__(classifier, config, generator)
        check_pair(self.generator.config.size, self.generator.config.channels, classifier)

    def _search(self, images: Tensor, target: int, progress: Progress) -> tuple[Tensor, Tensor]:
        begin = self.generator.encode(images)
        search = _Search(begin, self.config.rate)
        for step, _ in enumerate(self._steps(search, images, target)):
            if step % 10 == 0:
                progress(step / self.config.steps, f"REVISE: step {step}, {len(search.rows)} images go on")
        return torch.cat([begin, search.best], dim=1), search.found

    @torch.no_grad()
    def trace(self, image: Tensor, target: int) -> Tensor:
        """(s, latent): where the search of one image goes, from its code to the last step that was looked at.

        Args:
            image: (1, channels, *size) in [0, 1].

        Raises:
            ValueError: more than one image. TypeError: the classifier passes no gradients.
        """
        if len(image) != 1:
            raise ValueError(f"{len(image)} images: a trace is of one, give them one by one")
        search = _Search(self.generator.encode(image), self.config.rate)
        return torch.cat(list(self._steps(search, image, target)))

    def _steps(self, search: _Search, images: Tensor, target: int) -> Iterator[Tensor]:
        """Search until all images have ended; at each step the (a, latent) points of those that went on to it."""
        for _ in range(self.config.steps):
            if not len(search.rows):
                break
            loss, distance, flipped, gradient = self._look(search.z, images[search.rows], target)
            search.note(loss, distance, flipped, self.config.patience)
            yield search.z
            search.move(gradient)

    def _look(self, z: Tensor, images: Tensor, target: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(n,) loss, (n,) distance, (n,) flipped or not, and the gradient at (n, latent) z."""
        with torch.enable_grad():
            z = z.detach().requires_grad_(True)
            drawn = self.generator.decode(z)
            logits = self.classifier.logits(drawn)
            if not logits.requires_grad:
                raise TypeError(
                    f"{type(self.classifier).__name__} passes no gradients, so REVISE cannot search: take the "
                    "network's weights (safetensors) or a torch.export program in its place"
                )
            change = (drawn - images).abs().flatten(1)
            distance = change.sum(dim=1) if self.config.distance == "sum" else change.mean(dim=1)
            wanted = torch.full((len(z),), target, device=z.device)
            loss = functional.cross_entropy(logits, wanted, reduction="none") + self.config.weight * distance
            (gradient,) = torch.autograd.grad(loss.sum(), z)
        return loss.detach(), distance.detach(), is_class(logits, target), gradient


class _Search:
    """Images side by side, each with its own Adam; those that have ended leave the batch.

    Attributes:
        rows: (a,) numbers of the images that go on. z: (a, latent) where they are.
        best: (n, latent) of all images: the nearest flip, or the lowest loss where none was found. found: (n,) bool.
    """

    def __init__(self, begin: Tensor, rate: float) -> None:
        self.rate, self.count = rate, 0
        self.rows = torch.arange(len(begin), device=begin.device)
        self.z, self.best = begin.clone(), begin.clone()
        self.first, self.second = torch.zeros_like(begin), torch.zeros_like(begin)
        self.found = torch.zeros(len(begin), dtype=torch.bool, device=begin.device)
        self.value = torch.full((len(begin),), float("inf"), device=begin.device)
        self.waited = torch.zeros(len(begin), dtype=torch.long, device=begin.device)
        self.stay = torch.ones(len(begin), dtype=torch.bool, device=begin.device)

    def note(self, loss: Tensor, distance: Tensor, flipped: Tensor, patience: int) -> None:
        """Keep what is better, and mark the images that have waited long enough."""
        rows = self.rows
        first = flipped & ~self.found[rows]
        value = torch.where(flipped, distance, loss)
        better = first | ((flipped == self.found[rows]) & (value < self.value[rows]))
        took = rows[better]
        self.best[took], self.value[took] = self.z[better], value[better]
        self.found[rows] |= flipped
        self.waited[rows] = torch.where(better, 0, self.waited[rows] + 1)
        self.stay = ~self.found[rows] | (self.waited[rows] < patience)

    def move(self, gradient: Tensor) -> None:
        """One step of Adam for the images that stay."""
        self.count += 1
        self.first = BETA1 * self.first + (1 - BETA1) * gradient
        self.second = BETA2 * self.second + (1 - BETA2) * gradient.square()
        slope = self.first / (1 - BETA1**self.count)
        spread = (self.second / (1 - BETA2**self.count)).sqrt() + EPSILON
        self.z = self.z - self.rate * slope / spread
        self.rows, self.z = self.rows[self.stay], self.z[self.stay]
        self.first, self.second = self.first[self.stay], self.second[self.stay]
