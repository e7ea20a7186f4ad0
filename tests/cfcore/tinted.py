"""A classifier of colour images whose mirror images are known by hand."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tests.cfcore.pooled import Pooled

RED = (0.4, 0.2, 0.1)


class Redness(Pooled):
    """Two classes on the mean colour (r, g, b): logits (0, 12 r - 6 g - 4.5), through one map of 4 x 4 px.

    `RED` is dull, D = -0.9; its mirror image is (0.52, 0.14, 0.1), its point on the boundary (0.46, 0.17, 0.1).
    """

    class_names = ("dull", "vivid")
    channels = 3
    size = (16, 16)

    def pyramid(self, images: Tensor) -> list[Tensor]:
        return [images, functional.avg_pool2d(images, 4)]

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        return torch.tensor([[0.0, 0.0, 0.0], [12.0, -6.0, 0.0]]), torch.tensor([0.0, -4.5])


def tinted(n: int, side: int = 16, colour: tuple[float, float, float] = RED) -> Tensor:
    """(n, 3, side, side): a colour under a texture of mean 0, the same in all channels, 0.05 to either side."""
    texture = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5
    texture = texture - texture.mean(dim=(2, 3), keepdim=True)
    large = functional.interpolate(0.1 * texture, (side, side), mode="nearest")
    return torch.tensor(colour)[:, None, None] + large
