"""A classifier of three classes that can be worked out by hand, and pictures for it: which third of 16 px is bright."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier

PARTS = ((0, 5), (5, 11), (11, 16))  # columns


class Thirds(Classifier):
    """Logits 40 times the mean of each third's columns; they are the features, too."""

    class_names = ("left", "middle", "right")
    channels = 1
    size = (16, 16)

    def features(self, images: Tensor) -> Tensor:
        return torch.stack([images[:, 0, :, low:high].mean(dim=(1, 2)) for low, high in PARTS], dim=1)

    def logits(self, images: Tensor) -> Tensor:
        return 40 * self.features(images)


def pictures(n: int = 60) -> tuple[Tensor, Tensor]:
    """(n, 1, 16, 16) uint8 and (n,) classes: one third bright, of random strength, the rest dark."""
    drawn, labels = torch.Generator().manual_seed(0), torch.arange(n) % 3
    images = 0.1 + 0.1 * torch.rand(n, 1, 16, 16, generator=drawn)
    for i, label in enumerate(labels.tolist()):
        low, high = PARTS[label]
        images[i, :, :, low:high] += 0.4 + 0.3 * torch.rand(1, generator=drawn)
    return (images * 255).byte(), labels


def floats(n: int = 6) -> Tensor:
    """The same in [0, 1]."""
    return pictures(n)[0].float() / 255
