"""Random batches of a data set, and how processes and micro-batches share them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


class Batches:
    """Endless random batches of a data set held in memory, resumable to the very batch.

    Args:
        images: (n, channels, *spatial) uint8.
        labels: (n,) class indices.
        size: images a batch, over all processes together.
        generator: where the randomness comes from; its state is part of a checkpoint.
        balanced: draw the classes with equal probability, whatever their share.
    """

    def __init__(
        self, images: Tensor, labels: Tensor, size: int, generator: torch.Generator, *, balanced: bool = False
    ) -> None:
        if len(images) == 0:
            raise ValueError("no training images: choose a data set whose train split is not empty")
        self.images, self.labels, self.size, self.generator = images, labels, size, generator
        counts = torch.bincount(labels, minlength=2).double()
        if balanced and (counts == 0).any():
            raise ValueError(
                f"balanced sampling needs every class in the training images, counts are {counts.tolist()}"
            )
        self.weights = (1 / counts)[labels] if balanced else torch.ones(len(labels), dtype=torch.double)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            rows = torch.multinomial(self.weights, self.size, replacement=True, generator=self.generator)
            yield self.images[rows].float().div_(255), self.labels[rows]


@dataclass(frozen=True)
class Part:
    """One of `pieces` equal parts of a batch.

    Attributes:
        index, pieces: which part of how many.
        group: a minibatch-stddev layer with this group size looks at rows i, i + n / group, i + 2 n / group, ... of n
            together; the parts are cut so that such rows stay together, and every group is what it was in the whole.
    """

    index: int = 0
    pieces: int = 1
    group: int = 1

    def of(self, rows: Tensor) -> Tensor:
        """The part of (n, ...) rows.

        Raises ValueError where n cannot be cut into equal parts.
        """
        if self.pieces == 1:
            return rows
        n = len(rows)
        group = self.group if n % self.group == 0 and (n // self.group) % self.pieces == 0 else 1
        if n % self.pieces:
            raise ValueError(f"a batch of {n} cannot be cut into {self.pieces} equal parts: choose a multiple")
        width = n // group // self.pieces
        cut = rows.reshape(group, n // group, *rows.shape[1:])[:, self.index * width : (self.index + 1) * width]
        return cut.reshape(group * width, *rows.shape[1:])
