"""A mask and what is drawn under it, in one pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.generators.averaged import check_classes, check_pair
from cfcore.generators.expgan import ExpGAN
from cfcore.generators.expgan.model import composite

from ..base import Progress
from ..drawn import Drawn
from .config import ExplainGANConfig


class ExplainGAN(Drawn):
    """x (1 - d m) + d G m: G and m are the network's for the target class, the degree d scales the mask.

    The reconstruction is the image itself. The network always draws: no image fails. A code is G and m, flattened.
    """

    name = "expgan"
    title = "ExplainGAN"
    label = "ExplainGAN"
    paper = (
        "Samangouei et al., ExplainGAN: model explanation via decision boundary crossing transformations, ECCV 2018; "
        "one network for all classes"
    )
    generator_kind = ExpGAN.kind
    network, article = ExpGAN, "an ExplainGAN"
    Config = ExplainGANConfig
    generator: ExpGAN

    def __init__(self, classifier: Classifier, config: ExplainGANConfig, generator: nn.Module | None = None) -> None:
        super().__init__(classifier, config, generator)
        check_pair(self.generator.config.size, self.generator.config.channels, classifier)
        check_classes(self.generator.config.classes, classifier)

    def _search(self, images: Tensor, target: int, progress: Progress) -> tuple[Tensor, Tensor]:
        wanted = torch.full((len(images),), target, device=images.device)
        drawn, mask = self.generator(images, wanted)
        return torch.cat([drawn, mask], dim=1), torch.ones_like(wanted, dtype=torch.bool)

    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        self._check(direction)
        planes = codes[:, :-1].view(len(codes), -1, *images.shape[2:])
        return composite(images, planes[:, :-1], degrees[:, None, None, None] * planes[:, -1:]).clamp(0, 1)
