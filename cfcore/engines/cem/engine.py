"""CEM: the least that must be added to an image for another class."""

from __future__ import annotations

from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.generators.vae import VAE

from ..base import Progress
from ..searched import PixelSearch
from .config import CEMConfig
from .search import Autoencoder, pertinent_negatives


class CEM(PixelSearch):
    """The pertinent negative towards the target: an elastic net of the change, under a hinge on the margin.

    An image for which no weight of the class succeeds has none. See `pertinent_negatives`. With gamma above 0 a VAE,
    given as the generator, keeps the picture near what it can draw.
    """

    name = "cem"
    title = "CEM"
    label = "CEM"
    paper = "Dhurandhar et al., Explanations based on the missing: contrastive explanations, NeurIPS 2018"
    Config = CEMConfig
    config: CEMConfig

    def __init__(self, classifier: Classifier, config: CEMConfig, generator: nn.Module | None = None) -> None:
        if config.gamma and not isinstance(generator, VAE):
            found = "none" if generator is None else type(generator).__name__
            raise ValueError(
                f"gamma {config.gamma:g} needs a VAE as generator, not {found}: give one, or set gamma to 0"
            )
        super().__init__(classifier, config, generator)

    def _search(self, images: Tensor, target: int, progress: Progress) -> tuple[Tensor, Tensor]:
        return pertinent_negatives(self.classifier, images, target, self.config, progress, self._autoencoder())

    def _autoencoder(self) -> Autoencoder | None:
        network = self.generator
        return (lambda x: network.decode(network.encode(x))) if isinstance(network, VAE) else None
