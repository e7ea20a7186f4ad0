"""Mean distances between pairs, by hand, and their interval against a simulation."""

from __future__ import annotations

import pytest
import torch

from cfcore.metrics.diversity import between_draws, between_images


def test_pairs_by_hand() -> None:
    """Three flat pictures at 0, 0.2 and 0.6: distances 0.2, 0.6, 0.4."""
    grey = torch.tensor([0.0, 0.2, 0.6]).view(3, 1, 1, 1).expand(3, 1, 4, 4)
    found = between_images(grey)
    assert found.value == pytest.approx(0.4) and found.n == 3
    # Each picture's mean distance to the others: 0.4, 0.3, 0.5; standard deviation 0.1.
    assert found.se == pytest.approx(2 * 0.1 / 3**0.5)
    assert between_draws(torch.stack([grey, 0 * grey])).tolist() == pytest.approx([0.4, 0.0])


def test_too_few_pictures() -> None:
    one, two = torch.zeros(1, 1, 2, 2), torch.tensor([0.0, 0.5]).view(2, 1, 1, 1)
    assert between_images(one).value is None
    assert between_images(two).value == 0.5 and between_images(two).low is None
    with pytest.raises(ValueError, match="1 picture an image makes no pair"):
        between_draws(one[None])


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Flat pictures, uniform on [0, 1]: the mean distance is 1/3."""
    drawn = torch.rand(300, 20, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    found = [between_images(pictures) for pictures in drawn]
    held = [one.low is not None and one.high is not None and one.low <= 1 / 3 <= one.high for one in found]
    assert 0.90 <= sum(held) / 300 <= 0.99
