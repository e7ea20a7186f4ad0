"""The box around what changes the classifier's mind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier, target_margin
from cfcore.metrics.marked import change_attribution, strongest_region


class Curved(Classifier):
    """Looks at the left half alone, not linearly."""

    class_names = ("a", "b")
    channels = 1
    size = (16, 16)

    def logits(self, images: Tensor) -> Tensor:
        margin = 3 * torch.sin(2 * images[:, 0, :, :8]).mean(dim=(1, 2)) ** 2
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


def test_attribution_is_complete_and_blind_to_what_the_classifier_does_not_see() -> None:
    g = torch.Generator().manual_seed(0)
    start, end = torch.rand(3, 1, 32, 32, generator=g) * 0.4, torch.rand(3, 1, 32, 32, generator=g)
    found = change_attribution(Curved(), start, end, 1, steps=32)
    small = [torch.nn.functional.avg_pool2d(x, 2) for x in (start, end)]
    before, after = (target_margin(Curved().logits(x), 1) for x in small)
    assert found.shape == (3, 16, 16)
    assert torch.allclose(found.sum(dim=(1, 2)), after - before, atol=1e-3)
    assert found[:, :, 8:].abs().max() == 0 and found[:, :, :8].abs().max() > 0


def test_a_classifier_without_gradients_is_refused() -> None:
    class Closed(Curved):
        def logits(self, images: Tensor) -> Tensor:
            return super().logits(images.detach())

    with pytest.raises(TypeError, match="Closed passes no gradients"):
        change_attribution(Closed(), torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16), 1)


def test_the_planted_feature_is_boxed() -> None:
    weights = np.zeros((128, 128), np.float32)
    weights[20:40, 70:100] = 0.3
    weights[100:104, 10:14] = 0.1  # a faint one elsewhere
    weights[60:80, 60:80] = -1.0  # what speaks against the target
    box = strongest_region(weights)
    assert box is not None and box.share > 0.95
    assert box.top <= 20 / 128 and box.bottom >= 40 / 128 and box.left <= 70 / 128 and box.right >= 100 / 128
    assert (box.bottom - box.top) * (box.right - box.left) < 4 * 20 * 30 / 128**2


def test_a_feature_at_the_edge_stays_inside_the_image() -> None:
    weights = np.zeros((64, 48))
    weights[:6, 40:] = 1.0
    box = strongest_region(weights)
    assert box is not None and (box.top, box.right) == (0.0, 1.0) and box.bottom < 20 / 64


def test_nothing_positive_and_a_wrong_shape() -> None:
    assert strongest_region(np.zeros((32, 32))) is None and strongest_region(-np.ones((8, 8))) is None
    with pytest.raises(ValueError, match=r"must be \(h, w\)"):
        strongest_region(np.zeros((1, 16, 16)))
