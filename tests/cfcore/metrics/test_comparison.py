"""Each measure of a comparison against its value by hand, and the row that holds them all."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.metrics.comparison import (
    confidence_error,
    denoised_sweep,
    feature_distance,
    feature_reconstruction,
    is_valid,
    is_valid_denoised,
    l1_distance,
    measure,
    share_changed,
)
from cfcore.study.intervals import wilson

SIDE = 28


class Peak(Classifier):
    """ "Peak" where the brightest pixel exceeds 0.5, by 10 logits; features: brightest pixel and mean."""

    class_names = ("flat", "peak")
    channels = 1
    size = (SIDE, SIDE)

    def logits(self, images: Tensor) -> Tensor:
        margin = 10 * (images.flatten(1).amax(dim=1) - 0.5)
        return torch.stack([torch.zeros_like(margin), margin], dim=1)

    def features(self, images: Tensor) -> Tensor:
        return torch.stack([images.flatten(1).amax(dim=1), images.flatten(1).mean(dim=1)], dim=1)


def flat(*values: float) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).repeat(1, 1, SIDE, SIDE)


@pytest.fixture
def moved() -> Tensor:
    """From grey 0.2: all to 0.8, one pixel to 1, nothing."""
    out = flat(0.8, 0.2, 0.2)
    out[1, 0, 14, 14] = 1.0
    return out


def test_a_single_pixel_does_not_survive_the_blur(moved: Tensor) -> None:
    assert is_valid(Peak(), moved, 1).tolist() == [True, True, False]
    assert is_valid_denoised(Peak(), moved, 1).tolist() == [True, False, False]
    assert is_valid_denoised(Peak(), moved, 1, sigma=0).tolist() == [True, True, False]
    assert is_valid(Peak(), moved, torch.tensor([1, 0, 0])).tolist() == [True, False, True]
    sweep = denoised_sweep(Peak(), moved, 1, torch.tensor([True, True, True]), sigmas=(0.0, 1.0))
    assert [sweep[sigma].value for sigma in (0.0, 1.0)] == pytest.approx([2 / 3, 1 / 3])


def test_the_blur_is_five_by_five_and_grows_with_the_image() -> None:
    """A white pixel keeps 0.4026 squared at sigma 1 and five taps (0.3991 squared at seven)."""
    kernel = torch.exp(-(torch.arange(-2.0, 3.0) ** 2) / 2)
    middle = float(kernel[2] / kernel.sum()) ** 2
    for height, still in ((0.5 / middle - 0.02, False), (0.5 / middle + 0.02, True)):
        point = flat(0.0)
        point[0, 0, 14, 14] = height
        assert bool(is_valid_denoised(Peak(), point, 1)) is still

    class Large(Peak):
        size = (2 * SIDE, 2 * SIDE)

    small = flat(0.0)
    small[0, 0, 10:14, 10:14] = 0.9
    large = torch.nn.functional.interpolate(small, scale_factor=2, mode="nearest")
    for sigma in (0.5, 1.0, 2.0, 3.0):
        assert is_valid_denoised(Peak(), small, 1, sigma) == is_valid_denoised(Large(), large, 1, sigma), sigma


def test_distances_by_hand(moved: Tensor) -> None:
    source = flat(0.2, 0.2, 0.2)
    assert l1_distance(source, moved).tolist() == pytest.approx([0.6, 0.8 / SIDE**2, 0.0], abs=1e-6)
    assert share_changed(source, moved).tolist() == pytest.approx([1.0, 1 / SIDE**2, 0.0])
    assert share_changed(source, moved, threshold=0.7).tolist() == pytest.approx([0.0, 1 / SIDE**2, 0.0])
    apart = feature_distance(Peak(), source, moved)
    assert apart.tolist() == pytest.approx([(2 * 0.6**2) ** 0.5, (0.8**2 + (0.8 / 784) ** 2) ** 0.5, 0.0], abs=1e-5)
    wanted = torch.tensor([[0.8, 0.5], [1.0, 0.0], [0.2, 0.2]])
    norm, mean = feature_reconstruction(Peak(), wanted, moved)
    assert norm[0] == pytest.approx(0.3, abs=1e-5) and mean[0] == pytest.approx(0.15, abs=1e-5)
    assert norm[2] == pytest.approx(0, abs=1e-5)


def test_a_changed_pixel_counts_once_for_all_channels() -> None:
    source = torch.zeros(1, 3, 2, 2)
    moved = source.clone()
    moved[0, 0, 0, 0], moved[0, 2, 0, 0], moved[0, 1, 1, 1] = 0.5, 0.5, 0.005
    assert share_changed(source, moved).tolist() == [0.25]


def test_confidence_by_hand(moved: Tensor) -> None:
    p = torch.tensor([3.0, 5.0, -3.0]).sigmoid()
    error = confidence_error(Peak(), moved, 1, torch.tensor([1.0, 0.5, 0.5]))
    assert torch.allclose(error, (p - torch.tensor([1.0, 0.5, 0.5])).abs(), atol=1e-5)
    other = confidence_error(Peak(), moved, torch.tensor([1, 1, 0]), torch.tensor([1.0, 0.5, 0.5]))
    assert torch.allclose(other[:2], error[:2]) and other[2] == pytest.approx(abs(1 - float(p[2]) - 0.5), abs=1e-5)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(0, 0.5))
def test_what_holds_for_all_pictures(seed: int, threshold: float) -> None:
    drawn = torch.rand(2, 3, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    one, other = drawn
    assert torch.equal(l1_distance(one, other), l1_distance(other, one))
    changed = share_changed(one, other, threshold)
    assert ((changed >= 0) & (changed <= 1)).all()
    # Markov: what exceeds the threshold makes at least that much of the mean.
    assert (l1_distance(one, other) >= changed * threshold - 1e-6).all()


def test_a_row(moved: Tensor) -> None:
    source, found = flat(0.2, 0.2, 0.2), torch.tensor([True, True, False])
    real = flat(0.6, 0.7, 0.8, 0.4)
    row = measure(
        "blurry",
        Peak(),
        source,
        moved,
        found,
        1,
        real=real,
        real_classes=1,
        intended=torch.full((3,), 0.9),
        wanted=torch.zeros(3, 2),
        draws=torch.stack([moved, source], dim=1),
        seconds=6.0,
        lpips=lambda one, other: (one - other).abs().amax(dim=(1, 2, 3)),
    )
    assert (row.method, row.n) == ("blurry", 3)
    assert row.validity == wilson(2, 3) and row.denoised_validity == wilson(1, 3) and row.failed == wilson(1, 3)
    assert row.denoised_real == wilson(3, 4) and row.seconds.value == 2.0
    mean = (0.6 + 0.8 / SIDE**2) / 2
    assert row.l1.value == pytest.approx(mean, abs=1e-6) and row.l1.n == 2
    assert row.lpips.value == pytest.approx(0.7, abs=1e-6) and row.lpips.n == 2
    assert row.diversity.value == pytest.approx(mean, abs=1e-6)
    assert row.spread.value == pytest.approx((783 * 0.6 + 0.2) / 784, abs=1e-6)
    assert row.fid.value is not None and row.fid.low is None
    flattened = row.flat()
    assert flattened["validity_low"] == row.validity.low and "fid_low" not in flattened
    assert "confidence_error" in flattened and all(isinstance(value, float) for value in flattened.values())


def test_a_method_that_returns_nothing_has_a_row(moved: Tensor) -> None:
    row = measure("none", Peak(), flat(0.2, 0.2, 0.2), moved, torch.zeros(3, dtype=torch.bool), 1)
    assert row.validity == wilson(0, 3) and row.failed == wilson(3, 3)
    assert row.l1.value is None and row.l1.note == "no counterfactual" and row.fid.note == row.lpips.note == "not asked"
    assert set(row.flat()) == {f"{name}{end}" for name in ("validity", "denoised_validity", "failed")
                               for end in ("", "_low", "_high")}  # fmt: skip


def test_what_does_not_go_together_is_refused(moved: Tensor) -> None:
    every = torch.ones(3, dtype=torch.bool)
    with pytest.raises(ValueError, match="2 images, 3 counterfactuals, 3 marks"):
        measure("m", Peak(), flat(0.2, 0.2), moved, every, 1)
    with pytest.raises(ValueError, match=r"images are .* pictures .*: compare like with like"):
        l1_distance(moved[..., :4], moved)
    with pytest.raises(ValueError, match="real images need their classes"):
        measure("m", Peak(), moved, moved, every, 1, real=moved)
    with pytest.raises(ValueError, match=r"wanted features are \(3, 5\), those of the pictures \(3, 2\)"):
        feature_reconstruction(Peak(), torch.zeros(3, 5), moved)
