"""Paths that fall, rise a little, rise."""

from __future__ import annotations

import pytest
import torch

from cfcore.metrics.traversal import falls


def test_small_rises_are_borne_large_ones_not() -> None:
    p = torch.tensor([[0.9, 0.5, 0.1], [0.9, 0.905, 0.1], [0.9, 0.5, 0.6], [0.5, 0.5, 0.5]])
    assert falls(p, 0.01).tolist() == [True, True, False, True]
    assert falls(p, 0.0).tolist() == [True, False, False, True]
    with pytest.raises(ValueError, match="take at least two"):
        falls(p[:, :1])
    with pytest.raises(ValueError, match="choose 0 or more"):
        falls(p, -0.1)
