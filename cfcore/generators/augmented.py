"""Training images that are never twice the same."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from cfcore.classifiers.training import augment
from cfcore.training.batches import Batches


class AugmentedBatches(Batches):
    """`Batches` whose images are shifted, scaled, turned and exposed at random as a classifier's are (`augment`). A
    generator that is trained on them learns to draw what was done to them, too."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in super().__iter__():
            yield augment(images, self.generator), labels
