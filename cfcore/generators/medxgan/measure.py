"""How good a medXGAN generator is: what it draws of held-out images, and whether samples are the class that z2 says."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier

from .model import MedXGAN

BATCH = 64


@torch.no_grad()
def encoded(model: MedXGAN, classifier: Classifier, images: Tensor) -> dict[str, float]:
    """Of (n, 1, size, size) uint8 images through the encoder, z2 = 0 where C says negative.

    Returns:
        l1: mean |x - G(E(x))| in [0, 1]; agreement: share whose class under C is kept; other_class: share whose
        drawing under the other class' z2 (0, or N(0, I) of a fixed seed) is that class for C.
    """
    fixed = torch.Generator().manual_seed(0)
    l1, kept, swapped = [], [], []
    for chunk in images.split(BATCH):
        real = chunk.float() / 255
        source = classifier.logits(real).argmax(dim=1)
        z1, z2 = model.encode(real)
        again = model.decode(z1, z2 * source[:, None])
        l1.append((again - real).abs().mean(dim=(1, 2, 3)))
        kept.append(classifier.logits(again).argmax(dim=1) == source)
        other = torch.randn(z2.shape, generator=fixed).to(z2) * (1 - source)[:, None]
        swapped.append(classifier.logits(model.decode(z1, other)).argmax(dim=1) == 1 - source)
    return {
        "l1": torch.cat(l1).mean().item(),
        "agreement": torch.cat(kept).float().mean().item(),
        "other_class": torch.cat(swapped).float().mean().item(),
    }


@torch.no_grad()
def drawn_class(model: MedXGAN, classifier: Classifier, anatomies: int, generator: torch.Generator) -> dict[str, float]:
    """Share of samples that C gives the class of their z2: `negative_accuracy` with z2 = 0, `positive_accuracy` with
    z2 ~ N(0, I), one each of `anatomies` z1 ~ N(0, I)."""
    config, right = model.config, [0, 0]
    device = next(model.parameters()).device
    for chunk in torch.randn(anatomies, config.anatomy, generator=generator).split(BATCH):
        z2 = torch.randn(len(chunk), config.pathology, generator=generator)
        for stands_for, pathology in ((0, 0 * z2), (1, z2)):
            found = classifier.logits(model.decode(chunk.to(device), pathology.to(device))).argmax(dim=1)
            right[stands_for] += int((found == stands_for).sum())
    return {"negative_accuracy": right[0] / anatomies, "positive_accuracy": right[1] / anatomies}
