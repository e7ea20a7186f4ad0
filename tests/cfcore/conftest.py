"""Small networks for fast tests: the real classes, few channels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.training.weights import freeze

SMALL = {4: 16, 8: 16, 16: 8}


class BrightnessClassifier(Classifier):
    """Two classes by mean brightness: logit 40 (mean - 0.5)."""

    class_names = ("dark", "bright")
    channels = 1
    size = (16, 16)

    def logits(self, images: Tensor) -> Tensor:
        margin = 40 * (images.mean(dim=(1, 2, 3)) - 0.5)
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


@pytest.fixture
def classifier() -> Classifier:
    return BrightnessClassifier()


@pytest.fixture
def stylex() -> StylEx:
    """A randomly initialised generator of 16 px whose noise strengths are not zero, so that fixed noise is tested."""
    torch.manual_seed(3)
    model = StylEx(StylExConfig(size=16, width=32, condition=4, channels=SMALL, critic_channels=SMALL))
    for conv in model.synthesis.convs:
        torch.nn.init.constant_(conv.strength, 0.1)
    freeze(model)
    return model


@pytest.fixture
def images() -> Tensor:
    """Ten dark images of 16 px."""
    return torch.rand(10, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.6
