"""Projected gradient descent towards a class."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.attribution.score import Score

from ..base import Progress
from ..searched import PixelSearch
from .config import PGDConfig


class PGD(PixelSearch):
    """x <- clip(x + step sign(grad margin), image - budget, image + budget), all steps, from the image itself.

    The margin l_t - logsumexp(others) is the logit of p(target), so its gradient has the sign of minus that of the
    cross-entropy, and does not vanish where p is 1 to rounding. PGD always returns a picture, whether C calls it the
    target or not: no image fails.
    """

    name = "pgd"
    title = "PGD"
    label = "PGD"
    paper = "Madry et al., Towards deep learning models resistant to adversarial attacks, ICLR 2018; targeted"
    Config = PGDConfig
    config: PGDConfig

    def _search(self, images: Tensor, target: int, progress: Progress) -> tuple[Tensor, Tensor]:
        config, score = self.config, Score(self.classifier, target)
        low, high = (images - config.budget).clamp(min=0), (images + config.budget).clamp(max=1)
        moved = images
        for step in range(config.steps):
            if step % 10 == 0:
                progress(step / config.steps, f"PGD: step {step} of {config.steps}")
            moved = torch.clamp(moved + config.step * score.gradient(moved).sign(), low, high)
        return moved, torch.ones(len(images), dtype=torch.bool, device=images.device)
