"""A_k and the prior mask: the mean of the moved maps is the moved point, and the mask grows with k."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from cfcore.mirror.maps import class_maps, moved_maps, prior_mask, threshold

SOURCE, TARGET = torch.tensor([0, 1]), torch.tensor([1, 2])


@pytest.fixture
def maps() -> Tensor:
    return torch.rand(2, 6, 4, 4, generator=torch.Generator().manual_seed(0)).relu()


@pytest.fixture
def weight() -> Tensor:
    return torch.randn(3, 6, generator=torch.Generator().manual_seed(1))


def test_the_mean_of_the_moved_maps_is_the_moved_point(maps: Tensor) -> None:
    step, k = torch.randn(2, 6, generator=torch.Generator().manual_seed(2)), torch.tensor([0.3, 1.0])
    moved = moved_maps(maps, step, k)
    assert torch.allclose(moved.mean(dim=(2, 3)), maps.mean(dim=(2, 3)) + k[:, None] * step, atol=1e-6)
    assert moved.min() < 0, "values below 0 are part of the point"
    assert torch.allclose(moved - maps, (k[:, None] * step)[:, :, None, None].expand_as(maps), atol=1e-6)


def test_class_maps_are_scaled_each_by_itself_and_do_not_move(maps: Tensor, weight: Tensor) -> None:
    found = class_maps(maps, weight, SOURCE, TARGET)
    assert found.shape == (2, 2, 4, 4)
    assert torch.allclose(found.amin(dim=(2, 3)), torch.zeros(2, 2)) and torch.allclose(
        found.amax(dim=(2, 3)), torch.ones(2, 2)
    )
    raw = torch.einsum("d,dhw->hw", weight[1], maps[0])
    assert torch.allclose(found[0, 1], (raw - raw.min()) / (raw.max() - raw.min()), atol=1e-5)
    moved = moved_maps(maps, torch.randn(2, 6), torch.tensor([0.5, 1.0]))
    assert torch.allclose(class_maps(moved, weight, SOURCE, TARGET), found, atol=1e-4)


def test_a_head_with_one_logit_has_two_opposite_maps(maps: Tensor, weight: Tensor) -> None:
    rows = torch.stack([0 * weight[0], weight[0]])
    found = class_maps(maps, rows, torch.zeros(2).long(), torch.ones(2).long())
    assert torch.allclose(found[:, 0], 1 - found[:, 1], atol=1e-5)


def test_a_map_without_places_shuts_none(weight: Tensor) -> None:
    found = class_maps(torch.rand(2, 6, 1, 1), weight, SOURCE, TARGET)
    assert torch.equal(prior_mask(found, torch.ones(2), (8, 8)), torch.ones(2, 1, 8, 8))


def test_the_mask_is_a_union_that_grows_with_k(maps: Tensor, weight: Tensor) -> None:
    found = class_maps(maps, weight, SOURCE, TARGET)
    tau = torch.full((2,), 0.6)
    expected = (found[:, :1] >= 0.6) | (found[:, 1:] >= 0.6)
    assert torch.equal(prior_mask(found, tau, (4, 4)), expected.float())
    k = torch.linspace(0, 1, 5)
    shares = [prior_mask(found, threshold(at.repeat(2), 0.9, 0.1), (16, 16)).mean() for at in k]
    assert all(a <= b for a, b in itertools.pairwise(shares)) and shares[0] < shares[-1]
    assert torch.allclose(threshold(k, 0.9, 0.1), torch.tensor([0.9, 0.7, 0.5, 0.3, 0.1]))
