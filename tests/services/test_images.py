"""Stored images go to engines and come back without losing a bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.images.encode import encode_png
from db.models import Dataset, Image
from services.images import (
    batches_of,
    crop_back,
    from_unit,
    pad_to_square,
    read_pixels,
    small_tensor,
    square_tensor,
    to_unit,
)
from services.workspace import Workspace


def row(**values: object) -> Image:
    base = {"max_value": 255, "window_centre": None, "window_width": None}
    return Image(**(base | values))


@given(st.integers(1, 40), st.integers(1, 40))
def test_padding_is_undone(height: int, width: int) -> None:
    unit = np.random.default_rng(height * 41 + width).random((height, width), dtype=np.float32)
    square = pad_to_square(unit)
    assert square.shape == (max(height, width),) * 2
    assert np.array_equal(crop_back(square, unit.shape), unit)
    assert square.sum() == pytest.approx(unit.sum(), rel=1e-5)


@given(st.sampled_from([255, 1023, 4095, 65535]), st.booleans())
def test_an_unchanged_image_comes_back_bit_for_bit(max_value: int, windowed: bool) -> None:
    kind = np.uint8 if max_value <= 255 else np.uint16
    pixels = np.random.default_rng(max_value).integers(0, max_value + 1, (9, 7)).astype(kind)
    window = {"window_centre": max_value / 3, "window_width": max_value / 4} if windowed else {}
    image = row(max_value=max_value, **window)
    again = from_unit(to_unit(pixels, image), image, pixels)
    assert again.dtype == kind
    assert np.array_equal(again, pixels)
    if not windowed:
        assert np.array_equal(from_unit(to_unit(pixels, image), image), pixels)


def test_a_change_is_scaled_by_the_window() -> None:
    image = row(max_value=4095, window_centre=1000.0, window_width=400.0)
    pixels = np.array([[800, 900, 1200, 4000]], dtype=np.uint16)
    unit = to_unit(pixels, image)
    assert unit.tolist() == [[0.0, 0.25, 1.0, 1.0]]
    changed = np.array([[0.5, 0.25, 0.75, 1.0]], dtype=np.float32)
    assert from_unit(changed, image, pixels).tolist() == [[1000, 900, 1100, 4000]]


def test_batches_keep_order_and_one_size_each(workspace: Workspace) -> None:
    sizes = [(8, 8), (8, 6), (10, 10), (10, 4), (8, 8)]
    images = []
    with workspace.session() as session:
        dataset = Dataset(name="mixed")
        session.add(dataset)
        for i, (h, w) in enumerate(sizes):
            key = workspace.put(encode_png(np.full((h, w), 10 * (i + 1), np.uint8)), ".png")
            images.append(
                Image(
                    dataset=dataset,
                    file_key=key,
                    patient=f"p{i}",
                    split="test",
                    width=w,
                    height=h,
                    sha256="0" * 64,
                    max_value=255,
                )
            )
        session.add_all(images)
    groups = [
        ([image.id for image in group], tuple(tensor.shape)) for group, tensor in batches_of(workspace, images, 4)
    ]
    ids = [image.id for image in images]
    assert groups == [(ids[:2], (2, 1, 8, 8)), (ids[2:4], (2, 1, 10, 10)), (ids[4:], (1, 1, 8, 8))]
    assert square_tensor(workspace, images[0]).max() == pytest.approx(10 / 255)
    assert small_tensor(workspace, images, (4, 4)).shape == (5, 1, 4, 4)
    assert small_tensor(workspace, [], (4, 4)).shape == (0, 1, 4, 4)
    workspace.delete(images[1].file_key)
    with pytest.raises(FileNotFoundError, match=f"image {images[1].id} is missing"):
        read_pixels(workspace, images[1])
