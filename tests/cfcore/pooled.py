"""A classifier told by its levels and its head alone, and a decoder that hits what it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import Classifier
from cfcore.generators.mirror import MirrorDecoder
from cfcore.generators.mirror.model import config_for


class Pooled(Classifier):
    """Global average pooling of the last level, then `head`."""

    def maps(self, images: Tensor) -> Tensor:
        return self.pyramid(images)[-1]

    def features(self, images: Tensor) -> Tensor:
        return self.maps(images).mean(dim=(2, 3))

    def logits(self, images: Tensor) -> Tensor:
        return functional.linear(self.features(images), *self.head)


class Exact(MirrorDecoder):
    """The source, each channel shifted so that its mean is that of A_k: C sees the very point that was asked for."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__(config_for(classifier, width=4, most=4, code=4))

    def draw(self, moved: Tensor, skips: Sequence[Tensor], maps: Tensor, tau: Tensor) -> Tensor:
        shift = moved.mean(dim=(2, 3), keepdim=True) - skips[0].mean(dim=(2, 3), keepdim=True)
        return skips[0] + shift
