"""StyleGAN2's building blocks (Karras et al. 2020), with the modulated convolution that a CPU likes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class EqualLinear(nn.Module):
    """Linear layer with equalised learning rate: weights ~ N(0, 1) / rate, scaled by rate / sqrt(fan in) when used."""

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.gain, self.rate = rate / math.sqrt(inputs), rate

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight * self.gain, self.bias * self.rate)


class EqualConv(nn.Module):
    """Square convolution with equalised learning rate and zero padding that keeps the size."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.gain, self.padding = 1 / math.sqrt(inputs * kernel * kernel), kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight * self.gain, self.bias, padding=self.padding)


class ModulatedConv(nn.Module):
    """Convolution whose input channels are scaled by a style and whose output has unit expected variance.

    Shared weights: the input is scaled by the style, convolved, and the output scaled by the demodulation factor.
    That is the same function as StyleGAN2's grouped convolution, and several times faster on a CPU (METHODS 1).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, demodulate: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.gain, self.padding, self.demodulate = 1 / math.sqrt(inputs * kernel * kernel), kernel // 2, demodulate

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(n, inputs, h, w), (n, inputs) -> (n, outputs, h, w)."""
        weight = self.weight * self.gain
        out = functional.conv2d(x * style[:, :, None, None], weight, padding=self.padding)
        if not self.demodulate:
            return out
        energy = style.square() @ weight.square().sum(dim=(2, 3)).T
        return out * (energy + 1e-8).rsqrt()[:, :, None, None]


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU 0.2 with the gain that keeps the variance."""
    return functional.leaky_relu(x, 0.2) * math.sqrt(2)


def deactivate(x: Tensor) -> Tensor:
    """What `activate` made `x` of."""
    return torch.where(x < 0, 5 * x, x) / math.sqrt(2)


def upsample(x: Tensor) -> Tensor:
    """Double the size, bilinear."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
