"""Stored images as the arrays and tensors that engines take, and back again without losing a bit of the source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cfcore.images.encode import decode_png
from cfcore.images.image import Pixels
from db.models import Image
from services.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

Gray = npt.NDArray[np.float32]
"""(h, w) float32 in [0, 1]."""


def read_pixels(workspace: Workspace, image: Image) -> Pixels:
    """The stored pixels (height, width) of an image, uint8 or uint16, exactly.

    Raises FileNotFoundError with the image's number when its file is gone from the store.
    """
    try:
        return decode_png(workspace.get(image.file_key))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"the file of image {image.id} is missing from the workspace; import the data set again"
        ) from error


def _window(image: Image) -> tuple[float, float]:
    """Black and white in pixel values: the image's window, else its whole range."""
    if image.window_centre is None or not image.window_width:
        return 0.0, float(image.max_value)
    half = image.window_width / 2
    return image.window_centre - half, image.window_centre + half


def to_unit(pixels: Pixels, image: Image) -> Gray:
    """(h, w) float32 in [0, 1]: pixels through the image's window (DICOM LINEAR_EXACT), as models and eyes see them."""
    black, white = _window(image)
    return np.clip((pixels.astype(np.float32) - black) / (white - black), 0, 1, dtype=np.float32)


def from_unit(unit: Gray, image: Image, source: Pixels | None = None) -> Pixels:
    """Pixels in the image's own depth whose `to_unit` is `unit` (rounded to whole pixel values).

    With `source` (the pixels that `unit` is a change of, same shape) the change is added to them: where nothing
    changed the source comes back bit for bit, also outside of its window.
    """
    black, white = _window(image)
    values = unit.astype(np.float64) * (white - black) + black
    if source is not None:
        before = to_unit(source, image)
        values = source + (unit.astype(np.float64) - before) * (white - black)
    whole = np.clip(np.rint(values), 0, image.max_value)
    return whole.astype(np.uint8) if image.max_value <= 255 else whole.astype(np.uint16)


def pad_to_square(unit: Gray) -> Gray:
    """(s, s) with s = max(h, w): black bars of equal width (a pixel less at the start where the rest is odd)."""
    h, w = unit.shape
    side = max(h, w)
    top, left = (side - h) // 2, (side - w) // 2
    return np.pad(unit, ((top, side - h - top), (left, side - w - left)))


def crop_back(square: npt.NDArray[np.float32], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """The (h, w) that `pad_to_square` put into `square`."""
    h, w = shape
    side = max(h, w)
    top, left = (side - h) // 2, (side - w) // 2
    return square[top : top + h, left : left + w]


def square_unit(workspace: Workspace, image: Image) -> Gray:
    """The stored image as (s, s) float32 in [0, 1], padded to a square."""
    return pad_to_square(to_unit(read_pixels(workspace, image), image))


def square_tensor(workspace: Workspace, image: Image) -> Tensor:
    """`square_unit` as a (1, 1, s, s) tensor: what `Engine.move` and `Engine.explain` take."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(square_unit(workspace, image)))[None, None]


def small_tensor(workspace: Workspace, images: Iterable[Image], size: tuple[int, ...]) -> Tensor:
    """(n, 1, *size) float32 in [0, 1]: images padded to squares and area-resampled, as every network here sees them."""
    import torch

    from cfcore.classifiers.base import resize

    rows = [resize(square_tensor(workspace, image), size) for image in images]
    return torch.cat(rows) if rows else torch.empty(0, 1, *size)


def batches_of(workspace: Workspace, images: Iterable[Image], batch: int) -> Iterator[tuple[list[Image], Tensor]]:
    """Images in their order, up to `batch` of the same square size at a time, as (n, 1, s, s) tensors."""
    import torch

    group: list[Image] = []
    tensors: list[Tensor] = []
    for image in images:
        tensor = square_tensor(workspace, image)
        if group and (len(group) == batch or tensor.shape != tensors[0].shape):
            yield group, torch.cat(tensors)
            group, tensors = [], []
        group.append(image)
        tensors.append(tensor)
    if group:
        yield group, torch.cat(tensors)
