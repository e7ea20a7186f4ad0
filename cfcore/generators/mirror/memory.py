"""What the classifier saw in training images, kept: it never changes, and asking it is the dearest part on a CPU."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import Classifier
from cfcore.engines.remembered import digest

from .view import View, look

BATCH = 64
GIGABYTE = 10**9


class Memory:
    """Levels of images in half precision, by the images' values.

    Filled once in fixed batches, so that a training that is cut off and goes on sees what it saw before.

    Args:
        gigabytes: at most; images that do not fit are looked at anew each time.
    """

    def __init__(self, gigabytes: float) -> None:
        self.most = int(gigabytes * GIGABYTE)
        self._levels: Sequence[Tensor] = ()
        self._rows: dict[bytes, int] = {}

    @torch.no_grad()
    def fill(self, classifier: Classifier, images: Tensor) -> None:
        """Look at (n, channels, size, size) uint8 images, as many as fit."""
        if len(images) == 0:
            return
        one = sum(level[0].numel() * 2 for level in look(classifier, images[:1].float().div_(255)).levels)
        chunks, seen = [], 0
        for chunk in images[: self.most // one].split(BATCH):
            # As `Batches` gives them: the key is made of these values.
            real = chunk.float().div_(255)
            chunks.append([level.half() for level in look(classifier, real).levels])
            for image in real:
                self._rows.setdefault(digest(image), seen)
                seen += 1
        self._levels = [torch.cat(parts) for parts in zip(*chunks, strict=True)]

    @torch.no_grad()
    def look(self, classifier: Classifier, images: Tensor) -> View:
        """As `view.look`, for (n, channels, size, size) images in [0, 1]."""
        rows = [self._rows.get(digest(image), -1) for image in images] if self._rows else [-1] * len(images)
        missing = [i for i, row in enumerate(rows) if row < 0]
        if len(missing) == len(images):
            return look(classifier, images)
        known = torch.tensor([max(row, 0) for row in rows])
        levels = [level[known].to(images) for level in self._levels]
        if missing:
            for level, fresh in zip(levels, look(classifier, images[missing]).levels, strict=True):
                level[missing] = fresh
        z = levels[-1].flatten(2).mean(dim=2)
        return View(levels, z, functional.linear(z, *classifier.head))
