"""A small explainable world of 64 px: a heart that grows along one axis of the code, and a classifier that sees it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import Classifier
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.training.weights import freeze

SMALL = {4: 4, 8: 4, 16: 4, 32: 4, 64: 4}


class Middle(Classifier):
    """Two classes by the brightness of the lower middle of a 64 px image."""

    class_names = ("No cardiomegaly", "Cardiomegaly")
    channels = 1
    size = (64, 64)

    def logits(self, images: Tensor) -> Tensor:
        margin = 40 * (images[:, :, 32:56, 16:48].mean(dim=(1, 2, 3)) - 0.7)
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


class Heart(StylEx):
    """Draws the picture it was given, from a thumbnail, plus a blob in the lower middle along axis 1 of the code and a
    faint veil over everything along axis 2. Axes beyond are the thumbnail's."""

    def __init__(self) -> None:
        super().__init__(StylExConfig(width=2 + 32 * 32, condition=1, channels=SMALL, critic_channels=SMALL))
        y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
        self.blob: Tensor
        self.register_buffer("blob", torch.exp(-(((y - 0.4) / 0.3) ** 2) - (x / 0.4) ** 2)[None, None])

    def encode(self, images: Tensor) -> Tensor:
        small = functional.avg_pool2d(images, 2).flatten(1)
        return torch.cat([torch.zeros(len(images), 2), small], dim=1)

    def decode(self, w: Tensor, label: Tensor) -> Tensor:
        small = w[:, 2:].view(-1, 1, 32, 32)
        base = functional.interpolate(small, (64, 64), mode="bilinear", align_corners=False)
        return (base + 0.04 * w[:, 0, None, None, None] * self.blob + 0.001 * w[:, 1, None, None, None]).clamp(0, 1)

    def sample(self, z: Tensor, label: Tensor) -> Tensor:
        return z

    def style_weights(self) -> Tensor:
        scale = torch.full((self.config.width,), 1e-3)
        scale[:2] = torch.tensor([3.0, 2.0])
        return torch.diag(scale)


@pytest.fixture
def middle() -> Classifier:
    return Middle()


@pytest.fixture
def heart() -> StylEx:
    model = Heart()
    freeze(model)
    return model


@pytest.fixture
def small_stylex() -> StylEx:
    """An untrained generator of 64 px with few channels."""
    torch.manual_seed(3)
    model = StylEx(StylExConfig(width=32, condition=2, channels=SMALL, critic_channels=SMALL))
    freeze(model)
    return model
