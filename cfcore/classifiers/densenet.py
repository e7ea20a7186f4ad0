"""DenseNet-121 as in seed 000: binary, one channel, one logit."""

from __future__ import annotations

import torch
from monai.networks.nets.densenet import DenseNet121
from torch import Tensor, nn
from torch.nn import functional

from .base import Classifier


class BinaryDenseNet(Classifier):
    """DenseNet-121 (Huang et al. 2017; MONAI's) with one logit, presented as two classes (negative, positive).

    Args:
        class_names: (negative, positive), e.g. ("Healthy", "Cardiomegaly").
        size: input size in pixels, e.g. 64.
    """

    architecture, title = "densenet121", "DenseNet-121"

    def __init__(self, class_names: tuple[str, str], size: int) -> None:
        super().__init__()
        if len(class_names) != 2:
            raise ValueError(f"a binary classifier has two class names, not {class_names!r}")
        self.class_names = tuple(class_names)
        self.channels = 1
        self.size = (size, size)
        self.network = DenseNet121(spatial_dims=2, in_channels=1, out_channels=1)

    def maps(self, images: Tensor) -> Tensor:
        """(n, 1024, h, w) activations before global average pooling, rectified."""
        return self.last_convolution(self.network.features((images - 0.5) * 4))

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """At 64 pixels: (n, 64, 32, 32), (n, 64, 16, 16), (n, 128, 8, 8), (n, 256, 4, 4), (n, 1024, 2, 2)."""
        out, taken = (images - 0.5) * 4, []
        for name, layer in self.network.features.named_children():
            out = layer(out)
            if name in ("relu0", "pool0", "transition1", "transition2"):
                taken.append(out)
        return [*taken, self.last_convolution(out)]

    @property
    def last_convolution(self) -> nn.Module:
        """The ReLU after the last dense block and its batch norm: its output is `maps`."""
        return self.network.get_submodule("class_layers.relu")

    def features(self, images: Tensor) -> Tensor:
        return self.maps(images).mean(dim=(2, 3))

    @property
    def _last(self) -> nn.Linear:
        layer = self.network.class_layers.out
        assert isinstance(layer, nn.Linear)
        return layer

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        layer = self._last
        zeros = torch.zeros_like(layer.weight)
        return torch.cat([zeros, layer.weight]), torch.cat([torch.zeros_like(layer.bias), layer.bias])

    def logits(self, images: Tensor) -> Tensor:
        weight, bias = self.head
        return functional.linear(self.features(images), weight, bias)

    def stages(self, images: Tensor) -> list[Tensor]:
        """Activations after the stem and after each of the first three dense blocks, for feature distances."""
        out, taken = (images - 0.5) * 4, []
        for name, layer in self.network.features.named_children():
            out = layer(out)
            if name in ("pool0", "transition1", "transition2"):
                taken.append(out)
        return taken
