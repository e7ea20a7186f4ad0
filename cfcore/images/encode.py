"""The stored form: lossless gray PNG of 8 or 16 bit, nothing in it but pixels."""

import io

import numpy as np
from PIL import Image as Pillow

from cfcore.images.image import Pixels


def encode_png(pixels: Pixels) -> bytes:
    """`pixels` (h, w) uint8 or uint16 as a gray PNG of the same depth, without any text or time chunk.

    Raises ValueError for another type or shape.
    """
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16) or 0 in pixels.shape:
        raise ValueError(f"expected (h, w) uint8 or uint16 pixels, got {pixels.shape} {pixels.dtype}")
    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def decode_png(data: bytes) -> Pixels:
    """The exact pixels (h, w) that `encode_png` stored; ValueError for any other file."""
    with Pillow.open(io.BytesIO(data), formats=("PNG",)) as image:
        if image.mode not in ("L", "I;16"):
            raise ValueError(f"expected a gray PNG of 8 or 16 bit, got mode {image.mode}")
        pixels: Pixels = np.array(image)
    return pixels
