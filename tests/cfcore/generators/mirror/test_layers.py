"""Blocks of the decoder: a join enlarges without steps, a spread leaves no grid."""

from __future__ import annotations

import pytest
import torch

from cfcore.generators.mirror.layers import Join, Spread


@torch.no_grad()
def test_a_coarse_map_is_enlarged_without_steps() -> None:
    join = Join(1, 1, 1)
    for convolution in (join.fine, join.coarse):
        convolution.weight.fill_(1.0)
    join.fine.bias.zero_()  # type: ignore[union-attr]
    coarse = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])
    out = join(torch.zeros(1, 1, 8, 8), coarse)[0, 0]
    assert torch.allclose(out, out[:1].expand(8, 8)) and (out[0].diff() <= 0.25 + 1e-6).all()
    assert out[0, 0] == 0 and out[0, -1] == 1


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_even_maps_leave_no_grid(factor: int) -> None:
    # Each pixel between has a value of its own, the same everywhere: the grid of a new convolution's biases.
    x = torch.randn(1, 2 * factor**2, 1, 1).expand(-1, -1, 5, 5)
    out = Spread(factor)(x)
    assert out.shape == (1, 2, 5 * factor, 5 * factor)
    inner = out[..., factor:-factor, factor:-factor]
    expected = x[0, :, 0, 0].reshape(2, factor**2).mean(dim=1)
    assert torch.allclose(inner, expected[None, :, None, None].expand_as(inner), atol=1e-6)
