"""Sizes of the small networks, and what fits no size."""

from __future__ import annotations

import pytest
import torch

from cfcore.generators.convolutional import Critic, Down, SmoothUp, Up, check_images, coarse_side, widths_of


@pytest.mark.parametrize(
    ("size", "side", "widths"),
    [(16, 8, (64,)), (28, 7, (64, 64)), (64, 8, (32, 64, 64)), (96, 6, (16, 32, 64, 64)), (128, 8, (16, 32, 64, 64))],
)
def test_images_are_halved_down_to_eight_pixels_or_less(size: int, side: int, widths: tuple[int, ...]) -> None:
    assert coarse_side(size) == (side, len(widths)) and widths_of(size, 64) == widths


@pytest.mark.parametrize("size", [0, 4, 8, 50, 66])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"size is {size}: choose 5 to 8 times a power of two"):
        coarse_side(size)


@pytest.mark.parametrize("size", [28, 64])
def test_down_and_up_are_inverse_in_shape(size: int) -> None:
    widths = widths_of(size, 16)
    images = torch.rand(2, 3, size, size)
    coarse = Down(3, widths)(images)
    side, _ = coarse_side(size)
    assert coarse.shape == (2, 16, side, side) and Up(widths, 3)(coarse).shape == images.shape
    *finer, last = (down := Down(3, widths)).maps(images)
    assert torch.equal(last, down(images)) and [m.shape[1] for m in finer] == list(widths[:-1])
    assert SmoothUp(widths, 3)(finer, last).shape == images.shape


def test_an_even_map_is_enlarged_without_a_grid() -> None:
    """A transposed convolution draws one even inside the picture, whatever its weights."""
    torch.manual_seed(0)
    widths = widths_of(64, 16)
    even = [torch.ones(1, width, 128 >> i, 128 >> i) for i, width in enumerate(widths)]
    with torch.no_grad():
        smooth = SmoothUp(widths, 1)(even[:-1], even[-1])[0, 0, 112:144, 112:144]
        grid = Up(widths, 1)(even[-1])[0, 0, 112:144, 112:144]
    assert smooth.std() < 1e-6 < 1e-4 < grid.std()


def test_the_critic_answers_for_the_class_asked() -> None:
    torch.manual_seed(0)
    critic = Critic(16, 1, 3, 8).eval()
    images = torch.rand(3, 1, 16, 16)
    every = critic.last(critic.trunk(images * 2 - 1).flatten(1))
    assert torch.equal(critic(images, torch.tensor([2, 0, 1])), every[torch.arange(3), [2, 0, 1]])


def test_images_of_another_shape_are_named() -> None:
    with pytest.raises(ValueError, match=r"it takes images \(n, 1, 16, 16\), not \(2, 1, 8, 8\): resize"):
        check_images(torch.zeros(2, 1, 8, 8), 1, 16, "it")
