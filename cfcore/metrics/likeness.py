"""How alike pictures and codes are: structural similarity, collapse, cosines between independent searches."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.study.estimate import Estimate

from .means import welch_difference

BATCH = 64


@torch.no_grad()
def structural_similarity(one: Tensor, other: Tensor) -> Tensor:
    """(n,) SSIM of (n, 1, h, w) pictures in [0, 1]: Wang et al. 2004, Gaussian window 11, sigma 1.5."""
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    parts = []
    for a, b in zip(one.split(BATCH), other.split(BATCH), strict=True):
        found = ssim(a, b, data_range=1.0, reduction="none")
        assert isinstance(found, Tensor)
        parts.append(found.view(-1))
    return torch.cat(parts)


def between_pairs(images: Tensor, generator: torch.Generator) -> Tensor:
    """(n // 2,) SSIM of (n, 1, h, w) pictures paired at random, each in one pair, so that the values are independent.

    Raises:
        ValueError: fewer than two pictures.
    """
    if len(images) < 2:
        raise ValueError(f"{len(images)} picture makes no pair: give at least two")
    order = torch.randperm(len(images), generator=generator)[: len(images) // 2 * 2]
    return structural_similarity(images[order[0::2]], images[order[1::2]])


def collapse(drawn: Tensor, real: Tensor, generator: torch.Generator) -> tuple[Estimate, Tensor, Tensor]:
    """Mean SSIM between pairs of drawn pictures less that between pairs of real ones, with Welch's interval.

    A generator that has collapsed draws every patient alike: the difference is far above 0.

    Args:
        drawn, real: (n, 1, h, w) and (m, 1, h, w) of one class, each of another patient.

    Returns:
        The difference, and the SSIM of the drawn (n // 2,) and of the real pairs (m // 2,).
    """
    own, true = between_pairs(drawn, generator), between_pairs(real, generator)
    return welch_difference(own.numpy(), true.numpy()), own, true


def pairwise_cosine(codes: Tensor) -> Tensor:
    """(n, r (r - 1) / 2) cosine between each two of r codes of an image, (n, r, d): Table 3 of seed 001."""
    unit = codes / codes.norm(dim=2, keepdim=True).clamp(min=1e-12)
    first, second = torch.triu_indices(codes.shape[1], codes.shape[1], offset=1)
    return (unit @ unit.transpose(1, 2))[:, first, second]


def pairwise_similarity(pictures: Tensor) -> Tensor:
    """(n, r (r - 1) / 2) SSIM between each two of r pictures of an image, (n, r, 1, h, w)."""
    first, second = torch.triu_indices(pictures.shape[1], pictures.shape[1], offset=1)
    found = structural_similarity(pictures[:, first].flatten(0, 1), pictures[:, second].flatten(0, 1))
    return found.view(len(pictures), -1)
