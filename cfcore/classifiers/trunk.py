"""Classifiers of seed 001: a trunk of convolutions and one linear layer."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import Classifier

POOL = 0
VGG16 = (64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL, 512, 512, 512, POOL)
SMALL = (32, POOL, 64, POOL, 128, POOL, 128, POOL)
LEAST_CHANNELS = 4


class TrunkClassifier(Classifier):
    """3 x 3 convolutions with batch norm and ReLU, halvings by maximum, one linear layer to one logit.

    The logit is presented as two classes (negative, positive). The last map is not averaged: methods that need global
    average pooling cannot use these networks.

    Attributes:
        flat: the linear layer takes the flattened last map, so that the place of a sign counts; otherwise the maximum
            of every channel, for signs that may lie anywhere.

    Args:
        class_names: (negative, positive). size: input size in pixels, a multiple of the trunk's halvings.
        width: factor on the number of channels of every convolution, above 0; 1 is the published network.

    Raises:
        ValueError: not two classes, a size that the trunk cannot halve, or no width.
    """

    architecture: ClassVar[str]
    title: ClassVar[str]
    plan: ClassVar[tuple[int, ...]]
    flat: ClassVar[bool]

    def __init__(self, class_names: tuple[str, str], size: int, *, width: float = 1.0) -> None:
        super().__init__()
        if len(class_names) != 2:
            raise ValueError(f"a binary classifier has two class names, not {class_names!r}")
        halvings = self.plan.count(POOL)
        if size < 2**halvings or size % 2**halvings:
            raise ValueError(f"{self.title} takes sizes that are multiples of {2**halvings} pixels, not {size}")
        if width <= 0:
            raise ValueError(f"width is {width:g}: choose a factor above 0, 1 for the published network")
        self.class_names, self.channels, self.size, self.width = tuple(class_names), 1, (size, size), width
        layers: list[nn.Module] = []
        inputs = 1
        for planned in self.plan:
            if planned == POOL:
                layers.append(nn.MaxPool2d(2))
                continue
            outputs = max(LEAST_CHANNELS, round(planned * width))
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            layers.append(nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU()))
            inputs = outputs
        self.trunk = nn.Sequential(*layers)
        self.last = nn.Linear(inputs * (size // 2**halvings) ** 2 if self.flat else inputs, 1)

    @property
    def last_convolution(self) -> nn.Module:
        """The last convolution with its batch norm and ReLU: (n, channels, h, w), before the last halving."""
        return [layer for layer in self.trunk if isinstance(layer, nn.Sequential)][-1]

    def features(self, images: Tensor) -> Tensor:
        """(n, d): the last map, flattened, or the maximum of each of its channels."""
        out: Tensor = self.trunk((images - 0.5) * 4)
        return out.flatten(1) if self.flat else out.amax(dim=(2, 3))

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        weight, bias = self.last.weight, self.last.bias
        return torch.cat([torch.zeros_like(weight), weight]), torch.cat([torch.zeros_like(bias), bias])

    def logits(self, images: Tensor) -> Tensor:
        return functional.linear(self.features(images), *self.head)

    def stages(self, images: Tensor) -> list[Tensor]:
        """Activations after each of the first three halvings, for feature distances."""
        out, taken = (images - 0.5) * 4, []
        for layer in self.trunk:
            out = layer(out)
            if isinstance(layer, nn.MaxPool2d):
                taken.append(out)
        return taken[:3]


class BinaryVGG(TrunkClassifier):
    """VGG-16's thirteen convolutions (Simonyan & Zisserman 2015, configuration D), with batch norm, and one linear
    layer in the place of its three."""

    architecture, title, plan, flat = "vgg16", "VGG-16", VGG16, True


class SmallCNN(TrunkClassifier):
    """Four convolutions, the maximum over the map, one linear layer: for small slices with a lesion anywhere (seed 001
    names an off-the-shelf network only)."""

    architecture, title, plan, flat = "small-cnn", "Small CNN", SMALL, False
