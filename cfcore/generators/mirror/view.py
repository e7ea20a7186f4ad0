"""What the classifier sees in images, and pictures of points on the way from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import Classifier
from cfcore.mirror.maps import class_maps, moved_maps, threshold
from cfcore.mirror.names import Points
from cfcore.mirror.points import step_of

from .model import MirrorDecoder


@dataclass(frozen=True)
class View:
    """n images as C sees them.

    Attributes:
        levels: of `Classifier.pyramid`; the last is A. z: (n, d) its mean over places. logits: (n, classes) of the head
            on z.
    """

    levels: Sequence[Tensor]
    z: Tensor
    logits: Tensor

    @property
    def source(self) -> Tensor:
        """(n,) C's class of each image."""
        return self.logits.argmax(dim=1)


@dataclass(frozen=True)
class Way:
    """From n images to their mirror images.

    Attributes:
        view: of the images. target: (n,) class that each is led to.
        step: (n, d) from z to the mirror image. change: (n, classes) the same in logits.
        maps: (n, 2, h, w) class activation maps of source and target, each scaled to [0, 1].
    """

    view: View
    target: Tensor
    step: Tensor
    change: Tensor
    maps: Tensor

    def z(self, k: Tensor) -> Tensor:
        """(n, d) z_k for (n,) k."""
        return self.view.z + k[:, None] * self.step

    def logits(self, k: Tensor) -> Tensor:
        """(n, classes) of z_k: what the picture is to be for C."""
        return self.view.logits + k[:, None] * self.change

    def draw(self, decoder: MirrorDecoder, k: Tensor, bounds: tuple[float, float] | None = None) -> Tensor:
        """(n, channels, size, size) in [0, 1]: G at (n,) k. `bounds`: of tau, instead of those it was trained with."""
        *skips, last = self.view.levels
        upper, lower = bounds or (decoder.config.upper, decoder.config.lower)
        return decoder.draw(moved_maps(last, self.step, k), skips, self.maps, threshold(k, upper, lower))

    def rows(self, chosen: Tensor) -> Way:
        """The way of some of the images: (m,) row numbers or (n,) bool."""
        view = self.view
        levels = [level[chosen] for level in view.levels]
        part = View(levels, view.z[chosen], view.logits[chosen])
        return Way(part, self.target[chosen], self.step[chosen], self.change[chosen], self.maps[chosen])


def look(classifier: Classifier, images: Tensor) -> View:
    """What C sees in (n, channels, *size) images. Raises TypeError as `Classifier.pyramid`."""
    levels = classifier.pyramid(images)
    z = levels[-1].flatten(2).mean(dim=2)
    return View(levels, z, functional.linear(z, *classifier.head))


@torch.no_grad()
def way_to(classifier: Classifier, view: View, target: Tensor, points: Points) -> Way:
    """The way from what C sees to (n,) target classes. Raises ValueError where one is the source class already."""
    weight, bias = classifier.head
    step = step_of(points, view.z, weight, bias, view.source, target)
    maps = class_maps(view.levels[-1], weight, view.source, target)
    return Way(view, target, step, functional.linear(step, weight), maps)
