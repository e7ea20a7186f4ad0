"""The residual trunk that encoder and discriminator share in shape, and both of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..layers import EqualConv, EqualLinear, activate

GROUP = 4  # images that the minibatch-stddev layer compares


class Residual(nn.Module):
    """StyleGAN2's discriminator block: two 3 x 3 convolutions and a skip, halving the size by averaging."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualConv(inputs, inputs, 3)
        self.second = EqualConv(inputs, outputs, 3)
        self.skip = EqualConv(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        # Averaging before the second convolution instead of after it: the same receptive field, a quarter of the work.
        out = activate(self.second(functional.avg_pool2d(activate(self.first(x)), 2)))
        return (out + self.skip(functional.avg_pool2d(x, 2))) / math.sqrt(2)


class Trunk(nn.Module):
    """(n, inputs, size, size) to (n, channels[4], 4, 4)."""

    def __init__(self, size: int, channels: dict[int, int], inputs: int = 1) -> None:
        super().__init__()
        self.start = EqualConv(inputs, channels[size], 1)
        blocks, resolution = [], size
        while resolution > 4:
            blocks.append(Residual(channels[resolution], channels[resolution // 2]))
            resolution //= 2
        self.blocks = nn.Sequential(*blocks)

    def forward(self, images: Tensor) -> Tensor:
        return self.blocks(activate(self.start(images * 4 - 2)))


DIFFERENCE_GAIN = 4.0


class Encoder(nn.Module):
    """D's trunk without minibatch-stddev and one linear layer to w (METHODS 1).

    With `passes` = 2 the trunk has a second input, what a first reconstruction misses, and a second linear layer that
    corrects w by it (after ReStyle: Alaluf et al., ICCV 2021). In the first pass nothing is missed yet.
    """

    def __init__(self, size: int, channels: dict[int, int], width: int, passes: int = 1) -> None:
        super().__init__()
        self.passes = passes
        self.trunk = Trunk(size, channels, passes)
        self.conv = EqualConv(channels[4], channels[4], 3)
        self.linear = EqualLinear(channels[4] * 16, width)
        if passes == 2:
            self.correction = EqualLinear(channels[4] * 16, width)
            nn.init.zeros_(self.correction.weight)

    @property
    def heads(self) -> list[EqualLinear]:
        """The layers whose sum is w."""
        return [self.linear, self.correction] if self.passes == 2 else [self.linear]

    def _features(self, images: Tensor) -> Tensor:
        return activate(self.conv(self.trunk(images))).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 1, size, size) in [0, 1] to (n, width): the first pass."""
        if self.passes == 2:
            images = torch.cat([images, torch.full_like(images, 0.5)], dim=1)
        return self.linear(self._features(images))

    def correct(self, images: Tensor, drawn: Tensor) -> Tensor:
        """What to add to the first pass' w, (n, width), given its (n, 1, size, size) reconstructions."""
        missed = 0.5 + DIFFERENCE_GAIN * (images - drawn)
        return self.correction(self._features(torch.cat([images, missed], dim=1)))


class Discriminator(nn.Module):
    """Real or drawn, given the label: minibatch-stddev, and the label by projection (Miyato & Koyama 2018)."""

    def __init__(self, size: int, channels: dict[int, int], classes: int, group: int = GROUP) -> None:
        super().__init__()
        self.group = group
        self.trunk = Trunk(size, channels)
        self.conv = EqualConv(channels[4] + 1, channels[4], 3)
        self.hidden = EqualLinear(channels[4] * 16, channels[4])
        self.out = EqualLinear(channels[4], 1)
        self.embedding = nn.Embedding(classes, channels[4])

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        """(n,) logits of being real."""
        out = self._with_spread(self.trunk(images))
        hidden = activate(self.hidden(activate(self.conv(out)).flatten(1)))
        return self.out(hidden)[:, 0] + (hidden * self.embedding(label)).sum(dim=1) / math.sqrt(hidden.shape[1])

    def _with_spread(self, x: Tensor) -> Tensor:
        n = len(x)
        group = next(g for g in range(min(self.group, n), 0, -1) if n % g == 0)
        spread = (x.reshape(group, n // group, -1).var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=1)
        return torch.cat([x, spread.repeat(group)[:, None, None, None].expand(n, 1, *x.shape[2:])], dim=1)
