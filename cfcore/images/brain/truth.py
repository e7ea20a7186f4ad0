"""What is known of a slice, in a form that fits into its record and needs no template to be read again."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .render import Pixels

Mask = npt.NDArray[np.bool_]


def encode_mask(mask: Mask) -> list[int]:
    """Run lengths of a (h, w) bool mask, row by row: off, on, off, ...; the first may be 0."""
    flat = np.concatenate([[False], mask.ravel()])
    edges = np.flatnonzero(np.diff(flat))
    runs: list[int] = np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()
    return runs


def decode_mask(runs: list[int], size: int) -> Mask:
    """The (size, size) mask of `encode_mask`; ValueError where the runs are of another size."""
    if sum(runs) != size * size or min(runs, default=0) < 0:
        raise ValueError(f"the mask's runs add up to {sum(runs)} pixels, not {size} x {size}: make the data set again")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(size, size)


def encode_twin(image: Pixels, twin: Pixels) -> dict[str, Any]:
    """The twin (h, w) as its pixels in the box in which it differs from the image.

    Returns {"box": [top, left, height, width], "pixels": base64 of deflated uint8 rows}; {} where nothing differs.
    """
    rows, columns = np.nonzero(image != twin)
    if not len(rows):
        return {}
    top, left, bottom, right = (int(v) for v in (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1))
    part = zlib.compress(twin[top:bottom, left:right].tobytes(), 9)
    return {"box": [top, left, bottom - top, right - left], "pixels": base64.b64encode(part).decode("ascii")}


def decode_twin(image: Pixels, stored: Mapping[str, Any]) -> Pixels:
    """The twin of an image (h, w), bit for bit."""
    twin = image.copy()
    if stored:
        top, left, height, width = stored["box"]
        part = np.frombuffer(zlib.decompress(base64.b64decode(stored["pixels"])), np.uint8)
        twin[top : top + height, left : left + width] = part.reshape(height, width)
    return twin
