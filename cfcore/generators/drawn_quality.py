"""How good a network is that redraws images, or draws their counterfactuals in one pass: figures on held-out images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier

BATCH = 64

# (n, channels, size, size) images in [0, 1] and (n,) classes -> drawings of the same shape.
Draw = Callable[[Tensor, Tensor], Tensor]


@torch.no_grad()
def redrawn_quality(draw: Draw, classifier: Classifier, images: Tensor) -> dict[str, float]:
    """Of (n, channels, size, size) uint8 images, drawn again under the class that C gives them.

    Returns:
        l1: mean |x - drawing| in [0, 1]. agreement: share whose class C keeps.
    """
    missed, kept = [], []
    for chunk in images.split(BATCH):
        real = chunk.float() / 255
        source = classifier.logits(real).argmax(dim=1)
        again = draw(real, source)
        missed.append((again - real).abs().mean(dim=(1, 2, 3)))
        kept.append(classifier.logits(again).argmax(dim=1) == source)
    return {"l1": torch.cat(missed).mean().item(), "agreement": torch.cat(kept).float().mean().item()}


@torch.no_grad()
def counterfactual_quality(
    draw: Callable[[Tensor, Tensor, Tensor], Tensor], classifier: Classifier, images: Tensor
) -> dict[str, float]:
    """Of (n, channels, size, size) uint8 images, each led to a random other class (always the same one).

    Args:
        draw: images, C's classes of them and targets -> counterfactuals.

    Returns:
        validity: share whose counterfactual is the target class for C. l1_moved: mean |x - x'| in [0, 1].
    """
    fixed, classes = torch.Generator().manual_seed(0), len(classifier.class_names)
    valid, distances = [], []
    for chunk in images.split(BATCH):
        real = chunk.float() / 255
        source = classifier.logits(real).argmax(dim=1)
        target = (source + torch.randint(1, classes, (len(real),), generator=fixed).to(source.device)) % classes
        other = draw(real, source, target)
        valid.append(classifier.logits(other).argmax(dim=1) == target)
        distances.append((other - real).abs().mean(dim=(1, 2, 3)))
    return {"validity": torch.cat(valid).float().mean().item(), "l1_moved": torch.cat(distances).mean().item()}
