"""What a method found for an image, kept so that explaining, moving and judging one image search once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor

from .base import Progress, silent

KEPT = 512
BYTES = 256 * 2**20

# Images (b, channels, *size) and a progress over this batch alone -> (b, ...) what was found, one row an image.
Find = Callable[[Tensor, Progress], Tensor]


def digest(image: Tensor) -> bytes:
    """SHA-256 of an image's values."""
    return hashlib.sha256(image.contiguous().cpu().numpy().tobytes()).digest()


class Remembered:
    """The rows that a search found, by the image's values; those used longest ago are forgotten first.

    Args:
        batch: images that are searched at once. 1 where a row would depend on its neighbours: many steps enlarge the
            rounding that differs between batch sizes.
        most: rows kept, which together take at most `most_bytes`.
    """

    def __init__(self, batch: int = 16, most: int = KEPT, most_bytes: int = BYTES) -> None:
        self.batch, self.most, self.most_bytes = batch, most, most_bytes
        self._rows: OrderedDict[tuple[bytes, int | None], Tensor] = OrderedDict()
        self._bytes = 0

    def rows(self, images: Tensor, find: Find, target: int | None = None, progress: Progress = silent) -> Tensor:
        """(n, ...) one row an image, from `find` for the images that are new; equal images are searched once.

        Args:
            images: (n, channels, *size), at least one.
            target: the class that the search leads to; None where the row is the same for every class.
            progress: called with the share of the new images; may raise, and what was found until then is kept.
        """
        keys = [(digest(image), target) for image in images]
        # What this call needs is held here, so that nothing of it is forgotten on the way.
        held = {key: self._rows[key] for key in keys if key in self._rows}
        fresh = list({key: row for row, key in enumerate(keys) if key not in held}.values())
        for start in range(0, len(fresh), self.batch):
            rows = fresh[start : start + self.batch]
            begun, part = start / len(fresh), len(rows) / len(fresh)

            def tell(share: float, message: str, begun: float = begun, part: float = part) -> None:
                progress(begun + part * share, message)

            for row, found in zip(rows, find(images[rows], tell), strict=True):
                held[keys[row]] = found.detach().clone()
                self._keep(keys[row], held[keys[row]])
        for key in keys:
            self._keep(key, held[key])
        return torch.stack([held[key] for key in keys])

    def _keep(self, key: tuple[bytes, int | None], row: Tensor) -> None:
        if key not in self._rows:
            self._bytes += row.nbytes
        self._rows[key] = row
        self._rows.move_to_end(key)
        while len(self._rows) > self.most or self._bytes > self.most_bytes:
            self._bytes -= self._rows.popitem(last=False)[1].nbytes
