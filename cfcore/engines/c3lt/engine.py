"""The latent of a VAE, moved from class to class by a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.generators.averaged import check_classes, check_pair
from cfcore.generators.c3lt import C3LT

from ..base import Progress
from ..drawn import LatentLine
from .config import C3LTConfig


class C3LTEngine(LatentLine):
    """G(E(x)) at degree 0, G(T(E(x))) at degree 1, T told C's class of the image and the target; the straight line in
    the latent between the two.

    The network always draws: no image fails. One that C already calls the target stays as its reconstruction.
    """

    name = "c3lt"
    title = "C3LT"
    label = "C3LT"
    paper = (
        "Khorram & Fuxin, Cycle-consistent counterfactuals by latent transformations, CVPR 2022; in the latent of a VAE"
    )
    generator_kind = C3LT.kind
    network, article = C3LT, "a C3LT"
    Config = C3LTConfig
    generator: C3LT

    def __init__(self, classifier: Classifier, config: C3LTConfig, generator: nn.Module | None = None) -> None:
        super().__init__(classifier, config, generator)
        drawn = self.generator.vae.config
        check_pair(drawn.size, drawn.channels, classifier)
        check_classes(self.generator.config.classes, classifier)

    def _search(self, images: Tensor, target: int, progress: Progress) -> tuple[Tensor, Tensor]:
        source = self.classifier.logits(images).argmax(dim=1)
        wanted = torch.full_like(source, target)
        begin = self.generator.encode(images)
        codes = torch.cat([begin, self.generator.move(begin, source, wanted)], dim=1)
        return codes, torch.ones_like(source, dtype=torch.bool)
