"""A small classifier with global average pooling, in three classes of brightness, and a decoder for it."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cfcore.classifiers.base import Classifier
from cfcore.generators.mirror import MirrorDecoder
from cfcore.generators.mirror.model import config_for
from cfcore.training.weights import freeze
from tests.cfcore.pooled import Pooled


class Graded(Pooled):
    """Two convolutions of stride 2, global average pooling, a linear head: 16 px, three levels of 16, 8 and 4 px.

    `trained_classifier` teaches it to tell dark, middle and bright images, in an instant.
    """

    class_names = ("dark", "middle", "bright")
    channels = 1
    size = (16, 16)

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, stride, 1), nn.BatchNorm2d(b), nn.ReLU())
            for a, b, stride in ((1, 8, 1), (8, 12, 2), (12, 16, 2))
        )
        self.last = nn.Linear(16, 3)

    def pyramid(self, images: Tensor) -> list[Tensor]:
        levels, out = [], images
        for stage in self.stages:
            out = stage(out)
            levels.append(out)
        return levels

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        return self.last.weight, self.last.bias


def pictures(n: int = 96) -> tuple[Tensor, Tensor]:
    """(n, 1, 16, 16) uint8, dark, middle and bright in turn, each with a ramp of random strength; (n,) classes."""
    drawn = torch.Generator().manual_seed(0)
    classes = torch.arange(n) % 3
    ramp = torch.linspace(-0.1, 0.1, 16) * torch.rand(n, 1, 1, 1, generator=drawn)
    return ((0.2 + 0.3 * classes[:, None, None, None] + ramp).expand(n, 1, 16, 16) * 255).byte(), classes


@cache
def trained_classifier() -> Graded:
    torch.manual_seed(1)
    classifier, (images, classes) = Graded(), pictures()
    optimizer = torch.optim.Adam(classifier.parameters(), lr=0.02)
    for _ in range(40):
        loss = functional.cross_entropy(classifier.train().logits(images.float() / 255), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    freeze(classifier)
    assert (classifier.logits(images.float() / 255).argmax(dim=1) == classes).all()
    return classifier


def small_decoder(classifier: Classifier, **more: Any) -> MirrorDecoder:
    torch.manual_seed(2)
    return MirrorDecoder(config_for(classifier, width=8, most=16, code=16, **more))
