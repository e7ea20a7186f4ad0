"""Shifting what is drawn by a pixel or two before a classifier looks at it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def jittered(drawn: Tensor, shares: Tensor, most: int) -> Tensor:
    """The same drawings, every second one shifted by up to `most` pixels; its border is repeated where it has moved in.

    What a classifier reads from a fine grid, it does not read from the grid a pixel further, so that drawings which are
    to convince it need more than a grid.

    Args:
        drawn: (n, channels, height, width). shares: (2, n) in [0, 1), random: how far down and how far right.
        most: pixels, at least 1.
    """
    down, right = (shares * (2 * most + 1)).long().tolist()
    height, width = drawn.shape[2:]
    padded = functional.pad(drawn, (most,) * 4, mode="replicate")
    shifted = [
        padded[i, :, y : y + height, x : x + width] if i % 2 else drawn[i]
        for i, (y, x) in enumerate(zip(down, right, strict=True))
    ]
    return torch.stack(shifted).contiguous(memory_format=torch.channels_last)
