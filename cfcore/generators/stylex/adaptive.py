"""Adaptive discriminator augmentation, for training on few images (ADA: Karras et al., NeurIPS 2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier

from .model import StylEx
from .training import StylExTask, StylExTraining

DRAWS = 12
"""Random numbers an image: five for what is done, seven for how much."""


@dataclass(frozen=True)
class Adaptation:
    """How the probability of a transformation follows the discriminator.

    Attributes:
        goal: of r_t, the mean sign of D's logits of training images; above it D knows them by heart.
        images: real images after which the probability has gone from 0 to 1 where r_t is above the goal all the while.
            The paper's 500,000 are more than a CPU shows D in an afternoon.
        most: the highest probability. Below 1 every picture is still shown as it is sometimes, so that what is
            done to them does not leak into G.
        every: iterations between two looks at r_t.
    """

    goal: float = 0.6
    images: float = 8_000
    most: float = 0.8
    every: int = 4


class Transformations(nn.Module):
    """What D sees instead of a picture, drawn or real: each of shift, scale, turn, contrast and brightness with
    probability `probability`, in the paper's strengths; differentiable twice, as R1 needs it.

    No mirroring: left and right of a radiograph differ. `probability` and the running mean of r_t are buffers, so that
    checkpoints keep them.
    """

    probability: Tensor
    overfit: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("probability", torch.zeros(()))
        self.register_buffer("overfit", torch.zeros(()))

    def forward(self, images: Tensor, shares: Tensor) -> Tensor:
        """(n, 1, h, w) transformed, given (n, 12) random numbers in [0, 1)."""
        if not self.probability:
            return images
        drawn = shares.to(images).unbind(dim=1)
        shift, scale, turn, contrast, brightness = ((share < self.probability).to(images) for share in drawn[:5])
        size = torch.exp2(0.2 * scale * _normal(drawn[5], drawn[6]))
        angle = turn * math.pi * (2 * drawn[7] - 1)
        down, right = (shift * (2 * share - 1) * 0.125 for share in drawn[8:10])
        moved = resampled(images, angle, size, down, right)
        gain = torch.exp2(0.5 * contrast * _normal(drawn[10], drawn[11]))
        # The same normal turned by a quarter is another one, independent of it.
        bias = 0.2 * brightness * _normal(drawn[10], (drawn[11] + 0.25) % 1)
        return (moved - 0.5) * gain[:, None, None, None] + 0.5 + bias[:, None, None, None]

    def follow(self, signs: Tensor, images: int, adaptation: Adaptation) -> None:
        """Move the probability after D has seen `images` real ones; `signs`: mean sign of its logits of some."""
        self.overfit.lerp_(signs.to(self.overfit), 0.2)
        step = images / adaptation.images * torch.sign(self.overfit - adaptation.goal)
        self.probability.add_(step).clamp_(0, adaptation.most)


def _normal(a: Tensor, b: Tensor) -> Tensor:
    """N(0, 1) of two uniform numbers (Box and Muller 1958)."""
    return (-2 * (1 - a).log()).sqrt() * (2 * math.pi * b).cos()


def resampled(images: Tensor, angle: Tensor, size: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """(n, 1, h, w) images turned clockwise by (n,) `angle` (radians), enlarged by `size` about the middle, then shifted
    by `down` and `right` (shares of the height and width); bilinear, reflected at the border.

    Weighted sums of gathered pixels: PyTorch's `grid_sample` cannot be differentiated twice.
    """
    n, _, height, width = images.shape
    y = torch.arange(height).to(images) - (height - 1) / 2
    x = torch.arange(width).to(images) - (width - 1) / 2
    y = y[None, :, None] - (down * height)[:, None, None]
    x = x[None, None, :] - (right * width)[:, None, None]
    cos, sin = (angle.cos() / size)[:, None, None], (angle.sin() / size)[:, None, None]
    # Where each pixel comes from.
    rows = cos * y - sin * x + (height - 1) / 2
    columns = sin * y + cos * x + (width - 1) / 2
    top, left = rows.floor(), columns.floor()
    lower, more = rows - top, columns - left
    flat = images.reshape(n, height * width)
    found = torch.zeros_like(rows)
    for step_down, weight_down in ((0, 1 - lower), (1, lower)):
        for step_right, weight_right in ((0, 1 - more), (1, more)):
            place = _reflected(top + step_down, height) * width + _reflected(left + step_right, width)
            found = found + weight_down * weight_right * flat.gather(1, place.reshape(n, -1)).view_as(rows)
    return found[:, None].contiguous(memory_format=torch.channels_last)


def _reflected(place: Tensor, size: int) -> Tensor:
    """Whole numbers on the pixels 0 to size - 1, mirrored at the borders as often as it takes."""
    place = place.long().remainder(2 * size)
    return torch.minimum(place, 2 * size - 1 - place)


class AdaptiveStylExTask(StylExTask):
    """`StylExTask` whose discriminator sees transformed pictures only, with a probability that follows how well it
    knows the training images (Karras et al. 2020, Sec. 3).

    The encoder, the classifier and all terms of the reconstruction see the pictures as they are. The log has
    "probability" and "overfit" (r_t) beside the losses.
    """

    def __init__(
        self,
        model: StylEx,
        classifier: Classifier | Sequence[Classifier],
        settings: StylExTraining,
        generator: torch.Generator,
        *,
        iterations: int | None = None,
        adaptation: Adaptation = Adaptation(),
    ) -> None:
        super().__init__(model, classifier, settings, generator, iterations=iterations)
        self.adaptation = adaptation
        self.transformations = Transformations()
        self.modules = self.modules | {"transformations": self.transformations}
        # A hook, so that the discriminator's weights are stored, and read, as those of any other training.
        self.discriminator.register_forward_pre_hook(lambda module, inputs: (self._transformed(inputs[0]), *inputs[1:]))

    def _transformed(self, images: Tensor) -> Tensor:
        """D sees a batch, or two one after the other: each gets its part of what all processes draw alike."""
        assert self._seen is not None
        batch = len(self._seen[0])
        pieces = [
            self.part.of(torch.rand(batch * self.part.pieces, DRAWS, generator=self.generator))
            for _ in range(len(images) // batch)
        ]
        return self.transformations(images, torch.cat(pieces))

    def _train_discriminator(
        self, images: Tensor, label: Tensor, source: Tensor, iteration: int, fabric: Fabric
    ) -> dict[str, float]:
        losses = super()._train_discriminator(images, label, source, iteration, fabric)
        if iteration % self.adaptation.every == 0:
            with torch.no_grad():
                signs = fabric.all_reduce(self.discriminator(images, label).sign().mean(), reduce_op="mean")
            assert isinstance(signs, Tensor)
            seen = len(images) * self.part.pieces * self.adaptation.every
            self.transformations.follow(signs, seen, self.adaptation)
        found = {"probability": self.transformations.probability, "overfit": self.transformations.overfit}
        return losses | {name: value.item() for name, value in found.items()}
