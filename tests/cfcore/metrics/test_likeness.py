"""Likeness of pictures and codes in cases that are known."""

from __future__ import annotations

import pytest
import torch
from skimage.metrics import structural_similarity as reference

from cfcore.metrics.likeness import (
    between_pairs,
    collapse,
    pairwise_cosine,
    pairwise_similarity,
    structural_similarity,
)


def noise(n: int, seed: int = 0, side: int = 24) -> torch.Tensor:
    return torch.rand(n, 1, side, side, generator=torch.Generator().manual_seed(seed))


def test_similarity_against_scikit_image() -> None:
    # The two treat the border differently: large pictures have little of it.
    a = noise(2, side=160)
    b = 0.5 * a + 0.5 * noise(2, 1, side=160)
    settings = {"data_range": 1.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    known = [reference(x[0].numpy(), y[0].numpy(), **settings) for x, y in zip(a, b, strict=True)]
    assert structural_similarity(a, b).tolist() == pytest.approx(known, abs=0.01)
    assert structural_similarity(a, a).tolist() == pytest.approx([1.0, 1.0])


def test_each_picture_is_in_one_pair() -> None:
    images = noise(1).expand(7, 1, 24, 24)
    assert between_pairs(images, torch.Generator()).tolist() == pytest.approx([1.0] * 3)
    with pytest.raises(ValueError, match="1 picture makes no pair"):
        between_pairs(images[:1], torch.Generator())


def test_one_picture_for_all_is_a_collapse() -> None:
    alike = (noise(1) + 0.01 * noise(20, 2)).clamp(0, 1)
    found, own, true = collapse(alike, noise(20, 3), torch.Generator().manual_seed(0))
    assert found.low is not None and found.low > 0.8 and len(own) == len(true) == 10
    fair, *_ = collapse(noise(40, 4), noise(40, 5), torch.Generator().manual_seed(0))
    assert fair.low is not None and fair.high is not None and fair.low < 0 < fair.high


def test_cosines_between_starts() -> None:
    codes = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]], [[0.0, 0.0], [1.0, 0.0], [-4.0, 0.0]]])
    half = 0.5**0.5
    assert pairwise_cosine(codes)[0].tolist() == pytest.approx([0.0, half, half])
    assert pairwise_cosine(codes)[1].tolist() == [0.0, 0.0, -1.0]


def test_similarities_between_starts() -> None:
    a, b = noise(1), noise(1, 1)
    found = pairwise_similarity(torch.stack([a, b, a], dim=1))
    assert found.shape == (1, 3) and found[0, 1].item() == pytest.approx(1.0)
    assert found[0, 0].item() == pytest.approx(found[0, 2].item()) and found[0, 0] < 0.5
