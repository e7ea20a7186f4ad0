"""A race of pairs: those that can hardly be among the k best any more are measured on no further image. Ours."""

from __future__ import annotations

import torch
from torch import Tensor

FIRST = 4  # images on which every pair is measured before any is dropped
STEP = 2  # further images between two looks, more where few pairs are left
MOVES = 48  # moves that a look should at least cost, so that batches are full
POOLED = 8  # degrees of freedom that the pooled variance of the differences weighs: a pair's own is of few images


def order_of(n: int) -> Tensor:
    """(n,) numbers of the images in the order in which they race: any beginning is spread over all of them, so that
    images stored in some order do not decide by it (binary digits reversed: van der Corput)."""
    digits = max(1, (n - 1).bit_length())
    mirrored = (int(f"{i:0{digits}b}"[::-1], 2) for i in range(2**digits))
    return torch.tensor([i for i in mirrored if i < n], dtype=torch.long)


def next_images(done: int, n: int, pairs: int, k: int) -> int:
    """How many images come before the next look; all that are left where only `k` pairs are."""
    if pairs <= k:
        return n - done
    return min(n - done, max(FIRST if done == 0 else STEP, -(-MOVES // pairs)))


def survivors(changes: Tensor, k: int, n: int, errors: float) -> Tensor:
    """(p,) bool: which of p pairs stay, by (m, p) changes on the same m of n images.

    A pair goes whose mean lies more than `errors` standard errors below that of the k-th best. The standard error is
    that of the mean difference of the two over all n images when m are known, sqrt(v (1/m - 1/n)): differences are
    taken image by image, and what is known of all images is certain. v: the pair's own variance and that pooled over
    the pairs below the k-th, weighted by m - 1 and POOLED degrees of freedom.
    """
    m, pairs = changes.shape
    stay = torch.ones(pairs, dtype=torch.bool, device=changes.device)
    if pairs <= k or m < 2:
        return stay
    order = changes.mean(dim=0).argsort(descending=True, stable=True)
    differences = changes[:, order[k - 1], None] - changes[:, order[k:]]
    own = differences.var(dim=0)
    variance = (own * (m - 1) + own.mean() * POOLED) / (m - 1 + POOLED)
    error = (variance * max(0.0, 1 / m - 1 / n)).sqrt()
    stay[order[k:]] = differences.mean(dim=0) <= errors * error
    return stay
