"""Residual networks that are trained here: two classes or more, from 28 pixels."""

from __future__ import annotations

from typing import Any

from monai.networks.nets.resnet import ResNet
from torch import Tensor, nn
from torch.nn import functional

from .architectures import TITLES
from .base import Classifier
from .trunk import LEAST_CHANNELS

LEAST_SIZE, LARGE_SIZE = 28, 64
PLANES = (64, 128, 256, 512)
BLOCKS: dict[str, tuple[str, tuple[int, ...]]] = {
    "resnet18": ("basic", (2, 2, 2, 2)),
    "resnet50": ("bottleneck", (3, 4, 6, 3)),
}


class ResidualNet(Classifier):
    """ResNet-18 or ResNet-50 (He et al. 2016; MONAI's), one softmax row a class, also for two classes.

    From 64 pixels the published stem: a 7 x 7 convolution and a 3 x 3 maximum, each of stride 2. Below, the stem that
    is usual for small images: one 3 x 3 convolution of stride 1 and no maximum, so that 28 pixels end in a 4 x 4 map
    (with the published stem: in one place).

    Args:
        architecture: "resnet18" or "resnet50". class_names: two or more.
        size: input size in pixels, 28 or more, any.
        width: factor on the channels of every convolution, above 0; 1 is the published network.
        channels: image channels, 1 or 3.

    Raises:
        ValueError: another architecture, fewer than two classes or one twice, a size, width or channels it cannot have.
    """

    def __init__(
        self, architecture: str, class_names: tuple[str, ...], size: int, *, width: float = 1.0, channels: int = 1
    ) -> None:
        super().__init__()
        if architecture not in BLOCKS:
            raise ValueError(f"no residual network {architecture!r}; known are {', '.join(BLOCKS)}")
        self.architecture, self.title = architecture, TITLES[architecture]
        if len(class_names) < 2 or len(set(class_names)) < len(class_names):
            raise ValueError(f"{self.title} takes two or more class names, each once, not {class_names!r}")
        if size < LEAST_SIZE:
            raise ValueError(f"{self.title} takes images of {LEAST_SIZE} pixels or more, not {size}")
        if width <= 0:
            raise ValueError(f"width is {width:g}: choose a factor above 0, 1 for the published network")
        if channels not in (1, 3):
            raise ValueError(f"channels is {channels}: images have 1 (grey) or 3 (colour)")
        self.class_names, self.channels, self.size, self.width = tuple(class_names), channels, (size, size), width
        self.large = size >= LARGE_SIZE
        block, layers = BLOCKS[architecture]
        stem: dict[str, Any] = {"conv1_t_size": 7, "conv1_t_stride": 2} if self.large else {"conv1_t_size": 3}
        self.network = ResNet(
            block,
            list(layers),
            [max(LEAST_CHANNELS, round(planes * width)) for planes in PLANES],
            spatial_dims=2,
            n_input_channels=channels,
            no_max_pool=not self.large,
            num_classes=len(class_names),
            bias_downsample=False,
            **stem,
        )

    def _levels(self, images: Tensor) -> list[Tensor]:
        """The stem before any maximum, then the output of each of the four stages."""
        out = (images - 0.5) * 4
        for name in ("conv1", "bn1", "act"):
            out = self.network.get_submodule(name)(out)
        levels = [out]
        if self.large:
            out = self.network.maxpool(out)
        for name in ("layer1", "layer2", "layer3", "layer4"):
            out = self.network.get_submodule(name)(out)
            levels.append(out)
        return levels

    @property
    def last_convolution(self) -> nn.Module:
        """The last residual stage: its output is `maps`."""
        return self.network.layer4

    def maps(self, images: Tensor) -> Tensor:
        """(n, d, h, w) activations before global average pooling, rectified; d is 512 (ResNet-50: 2048) times width."""
        return self._levels(images)[-1]

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """From 64 pixels the stem and every stage (sides at 64: 32, 16, 8, 4, 2); below, the stages alone, the first of
        which has the stem's resolution (sides at 28: 28, 14, 7, 4)."""
        levels = self._levels(images)
        return levels if self.large else levels[1:]

    def features(self, images: Tensor) -> Tensor:
        return self.maps(images).mean(dim=(2, 3))

    @property
    def _last(self) -> nn.Linear:
        layer = self.network.fc
        assert isinstance(layer, nn.Linear)
        return layer

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        return self._last.weight, self._last.bias

    def logits(self, images: Tensor) -> Tensor:
        return functional.linear(self.features(images), *self.head)

    def stages(self, images: Tensor) -> list[Tensor]:
        """Activations after each of the first three stages, for feature distances."""
        return self._levels(images)[1:4]
