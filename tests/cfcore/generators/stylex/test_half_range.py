"""Codes matched to those of few images: what is stored in half precision draws what was trained."""

from __future__ import annotations

import copy

import pytest
import torch

from cfcore.generators.stylex.half_range import hold_in_half
from cfcore.generators.stylex.synthesis import Mapping
from cfcore.training.weights import as_stored


def mapping(largest: float) -> Mapping:
    torch.manual_seed(0)
    built = Mapping(32, 2)
    with torch.no_grad():
        built.last.weight.mul_(largest / built.last.weight.abs().max())
    return built


@pytest.mark.parametrize("largest", [70_000.0, 1e6])
def test_weights_beyond_half_precision_give_the_same_codes_when_stored(largest: float) -> None:
    trained = mapping(largest)
    z, label = torch.randn(50, 32), torch.arange(50) % 2
    with torch.no_grad():
        wanted = trained(z, label)
        # Without it the codes that are read back are no numbers.
        assert not torch.isfinite(as_stored(trained)(z, label)).all()
        held = copy.deepcopy(trained)
        hold_in_half(held)
        assert torch.equal(held(z, label), wanted)
        stored = as_stored(held)(z, label)
    assert (stored - wanted).norm() < 0.005 * wanted.norm()


def test_weights_that_fit_are_left_alone() -> None:
    trained = mapping(30_000)
    held = copy.deepcopy(trained)
    hold_in_half(held)
    for name, tensor in trained.state_dict().items():
        assert torch.equal(held.state_dict()[name], tensor)


@pytest.mark.parametrize("largest", [1e8, float("nan"), float("inf")])
def test_what_cannot_be_held_is_refused(largest: float) -> None:
    broken = mapping(1.0)
    with torch.no_grad():
        broken.last.weight[0, 0] = largest
    with pytest.raises(ValueError, match="mapping network"):
        hold_in_half(broken)
