"""What a model sees of an image, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cfcore.images.resampling import from_unit, pad_to_square, to_model_input, to_source_grid, to_unit

SIDES = st.tuples(st.integers(1, 50), st.integers(1, 50))


@settings(deadline=None)
@given(arrays(np.uint16, SIDES), st.integers(1, 64))
def test_inputs_are_square_and_in_range(pixels: np.ndarray, size: int) -> None:
    field = to_model_input(pixels, 65535, size)
    assert (field.shape, field.dtype) == ((size, size), np.float32)
    low, high = pixels.min() / 65535, pixels.max() / 65535
    assert field.min() >= low - 1e-6
    assert field.max() <= high + 1e-6


@given(arrays(np.uint8, st.integers(1, 40).map(lambda n: (n, n))))
def test_the_same_size_is_exact(pixels: np.ndarray) -> None:
    field = to_model_input(pixels, 255, len(pixels))
    np.testing.assert_array_equal(field, pixels.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(from_unit(field, 255), pixels)


@given(arrays(np.uint8, (24, 24)), st.sampled_from([1, 2, 3, 4, 6, 8, 12]))
def test_whole_factors_are_block_means(pixels: np.ndarray, size: int) -> None:
    step = 24 // size
    blocks = pixels.reshape(size, step, size, step).mean(axis=(1, 3)) / 255
    np.testing.assert_allclose(to_model_input(pixels, 255, size), blocks, atol=1e-6)


def test_any_factor_is_an_area_mean() -> None:
    row = np.arange(5, dtype=np.uint8) * 50
    field = to_model_input(np.tile(row, (5, 1)), 255, 3)
    exact = [(0 + 50 * 2 / 3) * 3 / 5, (50 / 3 + 100 + 150 / 3) * 3 / 5, (150 * 2 / 3 + 200) * 3 / 5]
    np.testing.assert_allclose(field[0] * 255, exact, atol=1e-3)


def test_proportions_are_kept() -> None:
    pixels = np.full((40, 20), 100, np.uint8)
    pixels[10:30, 5:15] = 200
    field = to_model_input(pixels, 255, 40)
    bright = np.argwhere(field > 0.7)
    assert np.ptp(bright, axis=0).tolist() == [19, 9]
    assert field[:, :10].max() == field[:, 30:].max() == np.float32(100) / np.float32(255)


def test_padding_has_the_smallest_border_value() -> None:
    field = np.full((4, 8), 0.6, np.float32)
    field[1, 4] = 0.0
    field[0, 3] = 0.2
    square = pad_to_square(field)
    assert square[0].tolist() == square[-1].tolist() == [np.float32(0.2)] * 8


def test_windows_clip() -> None:
    pixels = np.array([[0, 900, 1000, 1100, 4000]], np.uint16)
    np.testing.assert_allclose(to_unit(pixels, 4095, (1000.0, 200.0)), [[0, 0, 0.5, 1, 1]])
    np.testing.assert_allclose(to_unit(pixels, 4000), pixels / 4000, rtol=1e-6)


@given(arrays(np.float32, (6, 6), elements=st.floats(-1, 2, width=32)), st.sampled_from([255, 4095, 65535]))
def test_fields_become_the_nearest_values(field: np.ndarray, max_value: int) -> None:
    pixels = from_unit(field, max_value)
    assert pixels.dtype == (np.uint8 if max_value == 255 else np.uint16)
    assert np.abs(pixels / max_value - np.clip(field, 0, 1)).max() <= 0.5 / max_value + 1e-6


@pytest.mark.parametrize(("height", "width"), [(64, 64), (100, 60), (61, 100), (16, 9)])
def test_a_change_lands_where_it_was(height: int, width: int) -> None:
    pixels = np.zeros((height, width), np.uint8)
    pixels[height // 4 : height // 2, width // 4 : width // 2] = 255
    back = to_source_grid(to_model_input(pixels, 255, 32), height, width)
    assert back.shape == (height, width)
    rows, columns = np.mgrid[:height, :width]
    for grid in (rows, columns):
        centre = (grid * pixels).sum() / pixels.sum()
        assert abs((grid * back).sum() / back.sum() - centre) < max(height, width) / 64


def test_a_model_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 pixel"):
        to_model_input(np.zeros((2, 2), np.uint8), 255, 0)
