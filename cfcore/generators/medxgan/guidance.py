"""Losses that keep in a reconstruction what the classifier looks at."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import Classifier, target_margin

from .inversion import POSITIVE

NEIGHBOURS = 5  # pixels a side over which a gradient is averaged: single pixels' are noise


def feature_distance(classifier: Classifier, drawn: Tensor, images: Tensor) -> Tensor:
    """Mean over C's stages of mean |F(drawn) - F(images)| / mean |F(images)|.

    Raises:
        TypeError: a classifier that does not tell its stages.
    """
    stages = getattr(classifier, "stages", None)
    if stages is None:
        raise TypeError(f"{type(classifier).__name__} does not tell its stages: choose the recipe covered or paper")
    with torch.no_grad():
        wanted = stages(images)
    found = stages(drawn)
    return torch.stack([(a - b).abs().mean() / b.abs().mean() for a, b in zip(found, wanted, strict=True)]).mean()


def salience(classifier: Classifier, images: Tensor) -> Tensor:
    """(n, 1, h, w) weights of the pixels of (n, 1, h, w) images in [0, 1], mean 1 an image: the absolute gradient of
    the positive class' margin, averaged over 5 x 5 pixels; 1 everywhere where the gradient is 0."""
    with torch.enable_grad():
        asked = images.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(target_margin(classifier.logits(asked), POSITIVE).sum(), asked)
    near = functional.avg_pool2d(slope.abs(), NEIGHBOURS, stride=1, padding=NEIGHBOURS // 2)
    mean = near.mean(dim=(1, 2, 3), keepdim=True)
    return torch.where(mean > 0, near / mean.clamp(min=torch.finfo(mean.dtype).tiny), 1.0)
