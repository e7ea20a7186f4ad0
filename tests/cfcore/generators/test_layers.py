"""The shared-weight modulated convolution is StyleGAN2's grouped one."""

from __future__ import annotations

import torch
from torch.nn import functional

from cfcore.generators.layers import EqualLinear, ModulatedConv, upsample


def test_modulated_convolution_equals_the_grouped_form() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv(5, 7, 3)
    x, style = torch.randn(3, 5, 8, 8), torch.randn(3, 5)
    weight = (layer.weight * layer.gain)[None] * style[:, None, :, None, None]
    weight = weight * (weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    grouped = functional.conv2d(x.reshape(1, 15, 8, 8), weight.reshape(21, 5, 3, 3), padding=1, groups=3)
    assert torch.allclose(layer(x, style), grouped.view(3, 7, 8, 8), atol=1e-5)


def test_demodulation_keeps_unit_variance() -> None:
    torch.manual_seed(0)
    out = ModulatedConv(64, 64, 3)(torch.randn(4, 64, 16, 16), torch.rand(4, 64) * 5 + 0.1)
    assert 0.8 < out[:, :, 1:-1, 1:-1].std().item() < 1.2


def test_equalised_layer_starts_with_unit_variance() -> None:
    torch.manual_seed(0)
    assert 0.9 < EqualLinear(512, 512, rate=0.01)(torch.randn(64, 512)).std().item() / 0.01 / 100 < 1.1
    assert upsample(torch.ones(1, 1, 2, 2)).shape == (1, 1, 4, 4)
