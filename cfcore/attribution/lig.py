"""Latent Integrated Gradients: from the negative realisation to the image, through a generator."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .score import Attribution, Score

# (n, d1) anatomy and (n, d2) pathology codes to (n, channels, *size) images in [0, 1].
Decoder = Callable[[Tensor, Tensor], Tensor]


@torch.no_grad()
def lig(score: Score, decode: Decoder, z1: Tensor, z2: Tensor, steps: int = 64) -> Attribution:
    """LIG = [G(z1, z2) - G(z1, 0)] * mean over a of d score / d x at G(z1, a z2): seed 001, equation 7, as published.

    The mean is taken at the midpoints a = (i + 1/2) / steps. Not complete by construction: the pictures lie on a curve,
    the difference is taken once, along its chord. `gap` tells how far the sum is off.

    Args:
        decode: G at the classifier's size. z1: (n, d1), z2: (n, d2) codes of n images. steps: at least 1.

    Raises:
        TypeError: the classifier passes no gradients.
        ValueError: codes of different numbers of images, too few steps, or G draws another size than C takes.
    """
    _check(z1, z2, steps)
    start, end = decode(z1, torch.zeros_like(z2)), decode(z1, z2)
    mean = torch.zeros_like(end)
    for i in range(steps):
        mean += score.gradient(decode(z1, (i + 0.5) / steps * z2)) / steps
    return Attribution(((end - start) * mean).sum(dim=1, keepdim=True).float(), score(end) - score(start))


@torch.no_grad()
def lig_path(score: Score, decode: Decoder, z1: Tensor, z2: Tensor, steps: int = 64) -> Attribution:
    """LIG along the path: the sum over i of d score / d x at G(z1, a_mid z2) * [G(z1, a_(i+1) z2) - G(z1, a_i z2)].

    Ours: the line integral of the gradient along the curve that G draws, by the midpoint rule, so that it is complete:
    the gap goes to 0 as the steps grow. For a linear G it is LIG. Arguments and errors as for `lig`.
    """
    _check(z1, z2, steps)
    start = before = decode(z1, torch.zeros_like(z2))
    total = torch.zeros_like(start)
    for i in range(steps):
        after = decode(z1, (i + 1) / steps * z2)
        total += score.gradient(decode(z1, (i + 0.5) / steps * z2)) * (after - before)
        before = after
    return Attribution(total.sum(dim=1, keepdim=True).float(), score(before) - score(start))


def _check(z1: Tensor, z2: Tensor, steps: int) -> None:
    if len(z1) != len(z2):
        raise ValueError(f"z1 has {len(z1)} codes, z2 has {len(z2)}: give one of each for every image")
    if steps < 1:
        raise ValueError(f"steps is {steps}: at least one step is needed, 64 are usual")
