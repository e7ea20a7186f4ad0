"""From stored pixels to what a model sees, and back: one function for training, explaining and evaluating."""

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
    return resample(pad_to_square(to_unit(pixels, max_value, window)), size)


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
    """A square field at another size: area averages when smaller, bilinear when larger."""
    if field.shape == (size, size):
        return field
    method = Pillow.Resampling.BOX if size < field.shape[0] else Pillow.Resampling.BILINEAR
    return np.array(Pillow.fromarray(field, mode="F").resize((size, size), method), dtype=np.float32)


def to_source_grid(field: Field, height: int, width: int) -> Field:
    """A field on the model's square grid (size, size), for instance a change, on the source's (height, width).

    The inverse of the geometry of `to_model_input`: resampled (bicubic when larger, so that a change has no
    visible grid) to the square, and the padding cut off.
    """
    top, left, side = square_box(height, width)
    if field.shape != (side, side):
        larger = side > field.shape[0]
        method = Pillow.Resampling.BICUBIC if larger else Pillow.Resampling.BOX
        field = np.array(Pillow.fromarray(field, mode="F").resize((side, side), method), dtype=np.float32)
    return np.ascontiguousarray(field[top : top + height, left : left + width])
