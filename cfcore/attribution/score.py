"""The number that is attributed to pixels: how far an image speaks for a class, or against one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier, target_margin

BATCH = 16


@dataclass(frozen=True)
class Score:
    """The target margin of a class, l_t - logsumexp(others), in logits; with `against` its negative.

    For a binary classifier "against one class" is "for the other": the single logit, or minus it.

    Attributes:
        classifier: C. target: index of the class. against: look for what speaks against that class.
    """

    classifier: Classifier
    target: int
    against: bool = False

    def __post_init__(self) -> None:
        names = self.classifier.class_names
        if not 0 <= self.target < len(names):
            raise ValueError(f"there is no class {self.target}: the classifier has {len(names)}, from 0 on")

    def __call__(self, images: Tensor) -> Tensor:
        """(n,) logits of (n, channels, *size) images in [0, 1].

        Raises:
            ValueError: the images have another shape than the classifier takes.
            TypeError: gradients are asked for, and the classifier passes none.
        """
        self.check(images)
        margin = target_margin(self.classifier.logits(images), self.target)
        if torch.is_grad_enabled() and images.requires_grad and not margin.requires_grad:
            raise TypeError(
                f"{type(self.classifier).__name__} passes no gradients, so nothing can be attributed to pixels: "
                "take the network's weights (safetensors) or a torch.export program in their place"
            )
        return -margin if self.against else margin

    @torch.no_grad()
    def probability(self, images: Tensor) -> Tensor:
        """(n,) sigmoid of the score: the probability of the class, or of all the others together."""
        return torch.cat([self(chunk) for chunk in images.split(BATCH)]).sigmoid()

    def gradient(self, images: Tensor) -> Tensor:
        """d score / d x at (n, channels, *size) images, shaped like them. Raises as the score itself."""
        parts = []
        for chunk in images.split(BATCH):
            with torch.enable_grad():
                leaf = chunk.detach().clone().requires_grad_()
                # The images of a batch do not see each other, so the gradient of the sum holds every image's own.
                parts.append(torch.autograd.grad(self(leaf).sum(), leaf)[0])
        return torch.cat(parts)

    def check(self, images: Tensor) -> None:
        """Raises ValueError where the images are not what the classifier takes."""
        expected = (self.classifier.channels, *self.classifier.size)
        if tuple(images.shape[1:]) != expected:
            raise ValueError(
                f"the images are {tuple(images.shape[1:])}, the classifier takes (channels, *size) = {expected}: "
                "resize them first (cfcore.classifiers.base.resize)"
            )


@dataclass(frozen=True)
class Attribution:
    """An attribution that should add up to a change of the score.

    Attributes:
        values: (n, 1, *size) float32, signed: positive pixels speak for the score. Summed over channels.
        change: (n,) score at the image less the score at the baseline.
    """

    values: Tensor
    change: Tensor

    @property
    def gap(self) -> Tensor:
        """(n,) completeness gap in logits: sum of the attribution less the change of the score."""
        return self.values.flatten(1).sum(dim=1) - self.change
