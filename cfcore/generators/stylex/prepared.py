"""A frozen generator made ready for thousands of drawings: the same pictures in fewer passes over memory."""

from __future__ import annotations

import copy
import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..layers import ModulatedConv, upsample
from .model import StylEx
from .synthesis import StyledConv

Generator = TypeVar("Generator", bound=StylEx)


class PreparedConv(nn.Module):
    """`StyledConv` with all that does not depend on the style computed once.

    Weights come scaled, and so do their energies, which demodulation sums; noise and bias are one map; the activation's
    gain sits in that map and in the demodulation factor (leaky ReLU is positively homogeneous). Demodulation commutes
    with the linear enlargement, so both additions and it are one pass over the enlarged features.
    """

    def __init__(self, conv: StyledConv) -> None:
        super().__init__()
        weight = conv.conv.weight * conv.conv.gain
        self.up, self.padding = conv.up, conv.conv.padding
        self.weight: Tensor
        self.energy: Tensor
        self.floor: Tensor
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("energy", (weight.square().sum(dim=(2, 3)).T / 2).contiguous())
        floor = (conv.noise * conv.strength + conv.bias[:, None, None]) * math.sqrt(2)
        self.register_buffer("floor", floor.contiguous(memory_format=torch.channels_last))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(n, inputs, h, w), (n, inputs) -> (n, outputs, h, w), twice as large where `up`."""
        out = functional.conv2d(x * style[:, :, None, None], self.weight, padding=self.padding)
        factor = (style.square() @ self.energy + 0.5e-8).rsqrt()[:, :, None, None]
        return functional.leaky_relu_(torch.addcmul(self.floor, upsample(out) if self.up else out, factor), 0.2)


class PreparedToImage(nn.Module):
    """ToRGB of one output channel: a dot product of styled weights and features at every pixel."""

    def __init__(self, conv: ModulatedConv) -> None:
        super().__init__()
        self.weight: Tensor
        self.register_buffer("weight", (conv.weight * conv.gain)[0, :, 0, 0].clone())

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(n, inputs, h, w), (n, inputs) -> (n, 1, h, w)."""
        pixels = x.permute(0, 2, 3, 1).flatten(1, 2)
        return (pixels @ (style * self.weight)[:, :, None]).view(len(x), 1, *x.shape[2:])


@torch.no_grad()
def prepared(generator: Generator) -> Generator:
    """A copy of `generator` that draws the same pictures (to 1e-5) faster.

    A snapshot for inference: it does not follow later changes of the original's weights, and its state is not the
    stored format. Gradients flow to codes and styles as before.
    """
    ready = copy.deepcopy(generator).requires_grad_(False).eval()
    body = ready.synthesis
    body.convs = nn.ModuleList(PreparedConv(conv) for conv in body.convs)  # type: ignore[arg-type]
    body.to_image = nn.ModuleList(PreparedToImage(conv) for conv in body.to_image)  # type: ignore[arg-type]
    for affine in (*body.affines, *body.image_affines):
        affine.weight.mul_(affine.gain)
        affine.gain = 1.0
    return ready
