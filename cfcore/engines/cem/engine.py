"""CEM: the least that must be added to an image for another class."""

from __future__ import annotations

from torch import Tensor

from ..base import Progress
from ..searched import PixelSearch
from .config import CEMConfig
from .search import pertinent_negatives


class CEM(PixelSearch):
    """The pertinent negative towards the target: an elastic net of the change, under a hinge on the margin.

    An image for which no weight of the class succeeds has none. See `pertinent_negatives`.
    """

    name = "cem"
    title = "CEM"
    label = "CEM"
    paper = "Dhurandhar et al., Explanations based on the missing: contrastive explanations, NeurIPS 2018"
    Config = CEMConfig
    config: CEMConfig

    def _search(self, images: Tensor, target: int, progress: Progress) -> tuple[Tensor, Tensor]:
        return pertinent_negatives(self.classifier, images, target, self.config, progress)
