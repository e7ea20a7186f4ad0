"""From stored pixels to what a model sees, and back: one function for training, explaining and evaluating."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from cfcore.images.image import Pixels, Window

Field = npt.NDArray[np.float32]


def to_unit(pixels: Pixels, max_value: int, window: Window | None = None) -> Field:
    """Pixels (h, w) as float32 in [0, 1]: through the window, or divided by `max_value` where there is none.

    The window maps as DICOM's LINEAR_EXACT (PS3.3 C.11.2.1.3.2): clip((p - centre) / width + 0.5, 0, 1).
    """
    values = pixels.astype(np.float32)
    if window is None:
        return values / np.float32(max_value)
    centre, width = window
    return np.clip((values - np.float32(centre)) / np.float32(width) + np.float32(0.5), 0, 1)


def from_unit(field: Field, max_value: int = 255) -> Pixels:
    """float32 in [0, 1] as the nearest of the values 0 .. max_value, uint8 up to 255, else uint16."""
    dtype = np.uint8 if max_value <= 255 else np.uint16
    pixels: Pixels = np.rint(np.clip(field, 0, 1) * max_value).astype(dtype)
    return pixels


def to_model_input(pixels: Pixels, max_value: int, size: int, window: Window | None = None) -> Field:
    """What a model of side `size` sees of an image: float32 (size, size) in [0, 1].

    Proportions are kept, since a squeezed thorax has another cardiothoracic ratio: an image that is not square
    is centred on a square filled with the smallest value on its own border (black, or the collimated edge).
    Then it is resampled: smaller by exact area averaging, which is its own antialiasing; larger bilinearly; the
    same size is left as it is.

    Args:
        pixels: (h, w) stored pixels.
        max_value: the value shown as white where there is no window.
        size: side of the model's input in pixels.
        window: (centre, width) in pixel values, see `Image.window`.
    """
    if size < 1:
        raise ValueError(f"a model's input has at least 1 pixel a side, got {size}")
    return np.clip(resample(pad_to_square(to_unit(pixels, max_value, window)), size), 0, 1)


def pad_to_square(field: Field) -> Field:
    """(h, w) centred on a (max(h, w), max(h, w)) square of the smallest border value."""
    height, width = field.shape
    if height == width:
        return field
    top, left, side = square_box(height, width)
    border = min(field[0].min(), field[-1].min(), field[:, 0].min(), field[:, -1].min())
    square = np.full((side, side), border, dtype=np.float32)
    square[top : top + height, left : left + width] = field
    return square


def square_box(height: int, width: int) -> tuple[int, int, int]:
    """(top, left, side): where an image of that size lies in the square that a model sees."""
    side = max(height, width)
    return (side - height) // 2, (side - width) // 2, side


def resample(field: Field, size: int) -> Field:
    """A square field at another size: exact area averages when smaller, bilinear when larger."""
    side = field.shape[0]
    if side == size:
        return field
    if size < side:
        weights = _area_weights(side, size)
        return np.asarray(weights @ field @ weights.T, dtype=np.float32)
    return _enlarged(field, size, Pillow.Resampling.BILINEAR)


def to_source_grid(field: Field, height: int, width: int) -> Field:
    """A field on the model's square grid (size, size), for instance a change, on the source's (height, width).

    The inverse of the geometry of `to_model_input`: resampled (bicubic when larger, so that a change has no
    visible grid) to the square, and the padding cut off.
    """
    top, left, side = square_box(height, width)
    larger = side > field.shape[0]
    field = _enlarged(field, side, Pillow.Resampling.BICUBIC) if larger else resample(field, side)
    return np.ascontiguousarray(field[top : top + height, left : left + width])


def _enlarged(field: Field, side: int, method: Pillow.Resampling) -> Field:
    return np.array(Pillow.fromarray(np.ascontiguousarray(field)).resize((side, side), method), dtype=np.float32)


@lru_cache(maxsize=32)
def _area_weights(side: int, size: int) -> Field:
    """(size, side): the share that each source pixel has in each target pixel, by the length of their overlap."""
    edges = np.arange(size + 1) * (side / size)
    pixels = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.clip(overlap, 0, None) * (size / side)).astype(np.float32)
