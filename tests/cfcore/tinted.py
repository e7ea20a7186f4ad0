"""A classifier of colour images whose mirror images are known by hand, and a decoder that draws just these."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import Classifier
from cfcore.generators.mirror import MirrorDecoder
from cfcore.generators.mirror.model import config_for

RED = (0.4, 0.2, 0.1)


class Redness(Classifier):
    """Two classes on the mean colour (r, g, b): logits (0, 12 r - 6 g - 4.5), through one map of 4 x 4 px.

    `RED` is dull, D = -0.9; its mirror image is (0.52, 0.14, 0.1), its point on the boundary (0.46, 0.17, 0.1).
    """

    class_names = ("dull", "vivid")
    channels = 3
    size = (16, 16)

    def pyramid(self, images: Tensor) -> list[Tensor]:
        return [images, functional.avg_pool2d(images, 4)]

    def maps(self, images: Tensor) -> Tensor:
        return self.pyramid(images)[-1]

    def features(self, images: Tensor) -> Tensor:
        return self.maps(images).mean(dim=(2, 3))

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        return torch.tensor([[0.0, 0.0, 0.0], [12.0, -6.0, 0.0]]), torch.tensor([0.0, -4.5])

    def logits(self, images: Tensor) -> Tensor:
        return functional.linear(self.features(images), *self.head)


class ExactColour(MirrorDecoder):
    """The source, each channel shifted so that its mean is that of A_k."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__(config_for(classifier, width=4, most=4, code=4))

    def draw(self, moved: Tensor, skips: Sequence[Tensor], maps: Tensor, tau: Tensor) -> Tensor:
        shift = moved.mean(dim=(2, 3), keepdim=True) - skips[0].mean(dim=(2, 3), keepdim=True)
        return skips[0] + shift


def tinted(n: int, side: int = 16, colour: tuple[float, float, float] = RED) -> Tensor:
    """(n, 3, side, side): a colour under a texture of mean 0, the same in all channels, 0.05 to either side."""
    texture = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5
    texture = texture - texture.mean(dim=(2, 3), keepdim=True)
    large = functional.interpolate(0.1 * texture, (side, side), mode="nearest")
    return torch.tensor(colour)[:, None, None] + large
