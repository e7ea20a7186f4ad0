"""How good a decoder is: what it keeps of an image, and whether its pictures have the confidence that was asked for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier

from .model import MirrorDecoder
from .view import look, way_to

BATCH = 64
STEPS = tuple(i / 20 for i in range(21))


@torch.no_grad()
def measure(
    model: MirrorDecoder, classifier: Classifier, images: Tensor, partners: Tensor, steps: Sequence[float] = STEPS
) -> dict[str, float]:
    """Of (n, channels, size, size) uint8 images, each led to the first partner of its class.

    Args:
        partners: (classes, classes) bool, the targets of each source class. steps: of k, rising from 0 to 1.

    Returns:
        l1: mean |x - G(F(x))|; agreement: share whose class is kept at k = 0; validity: share that is the target at
        k = 1; first_validity: share that is the target at some step; confidence_error: mean |intended - obtained|
        probability of the target over steps and images; l1_first, l1_mirror: mean |x - x'| at the first step that is
        the target (of those that have one; nan without any) and at k = 1.
    """
    sums: dict[str, list[Tensor]] = {}
    for chunk in images.split(BATCH):
        real = chunk.float() / 255
        view = look(classifier, real)
        target = partners.to(real.device)[view.source].int().argmax(dim=1)
        way = way_to(classifier, view, target, model.config.points)
        found = torch.zeros(len(real), dtype=torch.bool, device=real.device)
        for k in steps:
            at = torch.full((len(real),), k, device=real.device)
            drawn = way.draw(model, at)
            logits = classifier.logits(drawn)
            intended, obtained = (rows.softmax(dim=1).gather(1, target[:, None]) for rows in (way.logits(at), logits))
            apart = (drawn - real).abs().flatten(1).mean(dim=1)
            sums.setdefault("confidence_error", []).append((intended - obtained).abs()[:, 0])
            there = logits.argmax(dim=1) == target
            sums.setdefault("l1_first", []).append(apart[there & ~found])
            found = found | there
            if k == steps[0]:
                sums.setdefault("l1", []).append(apart)
                sums.setdefault("agreement", []).append((logits.argmax(dim=1) == view.source).float())
        sums.setdefault("validity", []).append(there.float())
        sums.setdefault("l1_mirror", []).append(apart)
        sums.setdefault("first_validity", []).append(found.float())
    return {name: torch.cat(values).mean().item() for name, values in sums.items()}
