"""Keeping a mapping network's weights within what half precision can hold, without changing what it does."""

from __future__ import annotations

import math

import torch

from cfcore.generators.layers import EqualLinear

from .synthesis import Mapping

MOST = 2.0**15
"""The largest power of two that half precision can hold (its largest number is 65,504)."""


@torch.no_grad()
def hold_in_half(mapping: Mapping) -> None:
    """Hand a part of the last layer's scale to the layer before it, where weights of the last exceed 2^15.

    `Mapping.match` makes them large where the codes of few images leave dimensions nearly empty, and stored weights
    have half precision: beyond 65,504 they would be read back as infinite. The activation between the two layers is
    linear for positive factors, so the codes stay what they are; factors are powers of two, so no digit is lost.

    Raises:
        ValueError: no factor brings both layers into the range, or a weight is no finite number.
    """
    before, last = mapping.layers[-2], mapping.last
    assert isinstance(before, EqualLinear)
    largest = last.weight.abs().max().item()
    if not math.isfinite(largest):
        raise ValueError("the mapping network has weights that are no finite numbers: train again at a lower rate")
    if largest <= MOST:
        return
    factor = 2.0 ** math.ceil(math.log2(largest / MOST))
    if before.weight.abs().max().item() * factor > MOST:
        raise ValueError(
            f"the mapping network's weights reach {largest:.3g}, more than half precision holds: train on more images"
        )
    before.weight.mul_(factor)
    before.bias.mul_(factor)
    last.weight.div_(factor)
