"""A generator and classifiers so small that a person or a finite difference can follow them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier

SIDE = 4


class Curved(Classifier):
    """A smooth network of 16 pixels: 6 units, then one logit."""

    class_names = ("No", "Yes")
    channels = 1
    size = (SIDE, SIDE)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 6), nn.Tanh(), nn.Linear(6, 1, bias=False))
        nn.init.normal_(self.network[3].weight, std=2.0)
        self.double().requires_grad_(False)

    def logits(self, images: Tensor) -> Tensor:
        logit = self.network(images.double())[:, 0]
        return torch.stack([torch.zeros_like(logit), logit], dim=1)


@pytest.fixture
def curved() -> Classifier:
    return Curved()


@pytest.fixture
def decode() -> Callable[[Tensor, Tensor], Tensor]:
    """G(z1, z2) = sigmoid(A z1 + B z2), 3 anatomy and 2 pathology numbers, in double precision."""
    g = torch.Generator().manual_seed(2)
    a, b = (torch.randn(n, SIDE * SIDE, generator=g, dtype=torch.float64) for n in (3, 2))
    return lambda z1, z2: (z1 @ a + z2 @ b).sigmoid().view(-1, 1, SIDE, SIDE)


@pytest.fixture
def codes() -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(3)
    return torch.randn(3, 3, generator=g, dtype=torch.float64), torch.randn(3, 2, generator=g, dtype=torch.float64)
