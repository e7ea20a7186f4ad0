"""A flip that survives blur and stays close; the blur itself against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.metrics.validity import Criteria, classes_of, gaussian_blur, judge


class Spiky(Classifier):
    """Calls an image "spiky" where its largest neighbour difference exceeds 0.5."""

    class_names = ("smooth", "spiky")
    channels = 1
    size = (16, 16)

    def logits(self, images: Tensor) -> Tensor:
        jump = images.diff(dim=3).abs().amax(dim=(1, 2, 3)) - 0.5
        return torch.stack([torch.zeros_like(jump), jump], dim=1)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.7])
def test_blur_is_a_gaussian(sigma: float) -> None:
    images = torch.rand(2, 1, 20, 24, generator=torch.Generator().manual_seed(1))
    expected = np.stack([gaussian_filter(i[0].numpy(), sigma, mode="mirror", truncate=4) for i in images])
    assert np.abs(gaussian_blur(images, sigma)[:, 0].numpy() - expected).max() < 0.004
    constant = torch.full((1, 3, 12, 12), 0.3)
    assert torch.allclose(gaussian_blur(constant, 1.0), constant, atol=1e-6)


def test_no_blur_changes_nothing_and_too_much_is_refused() -> None:
    images = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    assert gaussian_blur(images, 0) is images
    with pytest.raises(ValueError, match="blur less"):
        gaussian_blur(images, 4.0)
    with pytest.raises(ValueError, match="blur must be 0 or more"):
        Criteria(blur=-1)


def test_a_single_pixel_flips_but_does_not_hold() -> None:
    base = torch.full((3, 1, 16, 16), 0.2)
    moved = base.clone()
    moved[0, 0, 8, 8] = 1.0  # one pixel
    moved[1, 0, :, 8:] = 1.0  # half of the image: survives at a border of 0.8 / 2? no, it is blurred to 0.32 a pixel
    moved[2] += 0.01
    verdict = judge(Spiky(), base, moved, 1)
    assert verdict.flipped.tolist() == [True, True, False]
    assert verdict.blurred.tolist() == [False, False, False] and not verdict.holds.any()
    raw = judge(Spiky(), base, moved, 1, Criteria(blur=0))
    assert raw.holds.tolist() == [True, False, False]  # the half image lies 0.4 away
    assert raw.l1.tolist() == pytest.approx([0.8 / 256, 0.4, 0.01], abs=1e-6)


def test_classes_are_judged_at_the_classifiers_own_size(classifier: Classifier) -> None:
    large = torch.cat([torch.full((1, 1, 48, 48), 0.3), torch.full((1, 1, 48, 48), 0.7)])
    assert classes_of(classifier, large, blur=1.0).tolist() == [0, 1]
