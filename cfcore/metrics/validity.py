"""When a counterfactual counts: it flips, it still flips when it is blurred, and it stays close (METHODS, common)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import Classifier, is_class, resize

BATCH = 16


@dataclass(frozen=True)
class Criteria:
    """What "explained" asks of a counterfactual, beyond the flip itself.

    Attributes:
        blur: standard deviation in pixels of the classifier's own size of a Gaussian after which the class must still
            be the target, so that a pattern of single pixels does not count; 0 asks for none.
        most_l1: largest mean |difference| from the picture at degree 0, in [0, 1].
    """

    blur: float = 1.0
    most_l1: float = 0.10

    def __post_init__(self) -> None:
        if self.blur < 0 or not self.most_l1 > 0:
            raise ValueError(f"blur must be 0 or more and most_l1 positive, not {self.blur} and {self.most_l1}")


def gaussian_blur(images: Tensor, sigma: float, reach: float = 3.0) -> Tensor:
    """(n, channels, h, w) images under a Gaussian of `sigma` pixels, edges reflected; kernel to `reach` sigma."""
    if sigma == 0:
        return images
    radius = max(1, math.ceil(reach * sigma))
    if radius >= min(images.shape[2:]):
        raise ValueError(f"sigma = {sigma} reaches beyond images of {tuple(images.shape[2:])} pixels: blur less")
    at = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-(at**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, -1)
    padded = functional.pad(images, (radius,) * 4, mode="reflect")
    rows = functional.conv2d(padded, kernel[:, :, None], groups=images.shape[1])
    return functional.conv2d(rows, kernel[..., None], groups=images.shape[1])


@torch.no_grad()
def classes_of(classifier: Classifier, images: Tensor, blur: float = 0.0) -> Tensor:
    """(n,) class that C gives to images of any resolution, brought to its size and there blurred."""
    small = resize(images, classifier.size)
    return torch.cat([classifier.logits(gaussian_blur(chunk, blur)).argmax(dim=1) for chunk in small.split(BATCH)])


@dataclass(frozen=True)
class Verdict:
    """(n,) each: the class is the target; it still is after the blur (asked only where it flipped); mean |difference|
    from the picture at degree 0; all three criteria hold."""

    flipped: Tensor
    blurred: Tensor
    l1: Tensor
    holds: Tensor


@torch.no_grad()
def judge(classifier: Classifier, base: Tensor, moved: Tensor, target: int, criteria: Criteria = Criteria()) -> Verdict:
    """Judge (n, channels, *spatial) counterfactuals against `base`, the same pictures at degree 0."""
    small = resize(moved, classifier.size)
    flipped = torch.cat([is_class(classifier.logits(chunk), target) for chunk in small.split(BATCH)])
    blurred = torch.zeros_like(flipped)
    if flipped.any():
        blurred[flipped] = classes_of(classifier, small[flipped], criteria.blur) == target
    l1 = (moved - base).abs().flatten(1).mean(dim=1)
    return Verdict(flipped, blurred, l1, flipped & blurred & (l1 <= criteria.most_l1))
