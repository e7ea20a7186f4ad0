"""The triangulation loss on triples whose distances are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.mirror.triangulation import triangulation


def flat(value: float) -> Tensor:
    return torch.full((1, 1, 2, 2), value)


def triple(to_origin: float, to_landmark: float, lam: float, beta: float = 2.0) -> float:
    """The drawn picture is 0.5, origin and landmark lie so far from it; features on a line with the given ratio."""
    z_k, z_origin, z_landmark = torch.zeros(1, 1), torch.ones(1, 1), torch.full((1, 1), -beta)
    origin, landmark = flat(0.5 - to_origin), flat(0.5 + to_landmark)
    return triangulation((flat(0.5), z_k), (origin, z_origin), (landmark, z_landmark), lam).item()


@pytest.mark.parametrize("to_landmark", [0.1, 0.2, 0.4])
def test_between_the_bounds_it_is_zero(to_landmark: float) -> None:
    """beta = 2, to the origin 0.1: the landmark may lie 0.2 / lam to 0.2 lam away."""
    assert triple(0.1, to_landmark, lam=2.0) == pytest.approx(0.0, abs=1e-6)


def test_too_near_to_the_landmark_and_too_far_from_it() -> None:
    assert triple(0.1, 0.05, lam=2.0) == pytest.approx(0.1 - 0.05, abs=1e-6)
    assert triple(0.1, 0.45, lam=2.0) == pytest.approx(0.45 - 0.4, abs=1e-6)


def test_lam_of_one_keeps_the_ratio_exactly() -> None:
    assert triple(0.1, 0.2, lam=1.0) == pytest.approx(0.0, abs=1e-6)
    for off in (0.15, 0.25):
        assert triple(0.1, off, lam=1.0) == pytest.approx(0.05, abs=1e-6)


def test_an_adversarial_picture_is_punished() -> None:
    """Pixels as the origin's, features far from it: the landmark is too far for so small a change."""
    assert triple(0.001, 0.4, lam=1.5) > 0.39


def test_rows_are_independent() -> None:
    drawn = torch.Generator().manual_seed(0)
    x, z = (
        [torch.rand(4, 1, 3, 3, generator=drawn) for _ in range(3)],
        [torch.randn(4, 5, generator=drawn) for _ in range(3)],
    )
    pairs = list(zip(x, z, strict=True))
    all_rows = triangulation(pairs[0], pairs[1], pairs[2], 1.5)
    one = triangulation(*((a[2:3], b[2:3]) for a, b in pairs), 1.5)
    assert torch.allclose(all_rows[2:3], one)


def test_lam_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lam is 0\.5: choose 1"):
        triple(0.1, 0.1, lam=0.5)
