"""A classifier whose least changes are known in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier

SIDE = 8


class Linear(Classifier):
    """Two classes, logits (0, w.x - 5) on 8 px; w is drawn once, a third of it negative. Batch norm that has seen
    nothing stands before it, so that training mode would show."""

    class_names = ("below", "above")
    channels = 1
    size = (SIDE, SIDE)

    def __init__(self) -> None:
        super().__init__()
        drawn = torch.rand(SIDE * SIDE, generator=torch.Generator().manual_seed(2))
        self.w = nn.Parameter(1.5 * drawn - 0.5)
        self.norm = nn.BatchNorm2d(1)

    def logits(self, images: Tensor) -> Tensor:
        margin = self.norm(images).flatten(1) @ self.w - 5
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


@pytest.fixture
def linear() -> Linear:
    return Linear()


@pytest.fixture
def low() -> Tensor:
    """Five images of 8 px that `linear` puts below, by 0.5 to 2 logits, away from black and white."""
    images = 0.2 + 0.2 * torch.rand(5, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    w = Linear().w.detach()
    excess = images.flatten(1) @ w - 5 + torch.linspace(0.5, 2, 5)
    shift = (excess[:, None] * w / w.square().sum()).view_as(images)
    return images - shift
