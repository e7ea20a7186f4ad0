"""The Frechet distance against values by hand, scipy's matrix square root, and its own symmetries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.metrics.frechet import fid, frechet_distance


def _drawn(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_feature_by_hand() -> None:
    """Means 1 and 4, standard deviations 1 and 3: (1 - 4)^2 + (1 - 3)^2."""
    one, other = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[1.0], [4.0], [7.0]])
    assert frechet_distance(one, other) == pytest.approx(9 + 4)


def test_two_features_by_hand() -> None:
    """Uncorrelated features add up."""
    one = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
    other = one * torch.tensor([3.0, 0.5]) + torch.tensor([1.0, 0.0])
    spread = (2 / 3) ** 0.5, (8 / 3) ** 0.5
    assert frechet_distance(one, other) == pytest.approx(1 + (2 * spread[0]) ** 2 + (0.5 * spread[1]) ** 2)


@settings(max_examples=25)
@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 12), st.integers(0, 1000))
def test_against_the_matrix_square_root(n: int, m: int, d: int, seed: int) -> None:
    one, other = _drawn(n, d, seed), _drawn(m, d, seed + 1) * 2 + 0.5
    first, second = (np.cov(x.numpy(), rowvar=False).reshape(d, d) for x in (one, other))
    # The root of the symmetric form, which a singular covariance does not spoil.
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(min=0)).sum()
    gap = float((one.mean(dim=0) - other.mean(dim=0)).square().sum())
    expected = gap + np.trace(first) + np.trace(second) - 2 * cross
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert frechet_distance(other, one) == pytest.approx(frechet_distance(one, other), rel=1e-9, abs=1e-9)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_against_the_usual_formula() -> None:
    one, other = _drawn(200, 5, 1), _drawn(150, 5, 2) + 0.3
    first, second = (np.cov(x.numpy(), rowvar=False) for x in (one, other))
    gap = float((one.mean(dim=0) - other.mean(dim=0)).square().sum())
    expected = gap + np.trace(first + second - 2 * np.real(sqrtm(first @ second)))
    assert frechet_distance(one.float(), other.float()) == pytest.approx(expected, rel=1e-4)


def test_it_tells_what_it_needs(classifier: Classifier, images: Tensor) -> None:
    with pytest.raises(ValueError, match=r"features of \(1, 3\) and \(2, 3\) have no Frechet distance"):
        frechet_distance(torch.zeros(1, 3), torch.zeros(2, 3))
    with pytest.raises(ValueError, match="rows of the same length"):
        frechet_distance(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(TypeError, match="does not tell its features"):
        fid(classifier, images, images)
