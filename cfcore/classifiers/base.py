"""What an engine may ask of a classifier."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional


class Classifier(nn.Module, ABC):
    """A frozen image classifier behind one face.

    A subclass owes `logits` and sets the attributes below; `features`, `head`, `maps`, `pyramid` and
    `last_convolution` where the network has them.
    Images are (n, channels, *spatial) float32 in [0, 1]; the subclass maps them to the network's own range.

    Attributes:
        class_names: one name a class, at least two. A network with one logit is presented as two classes with
            logits (0, l), so softmax over them is the sigmoid of l (METHODS 5).
        channels: image channels, e.g. 1.
        size: the spatial input size, e.g. (64, 64).
    """

    class_names: tuple[str, ...]
    channels: int
    size: tuple[int, ...]

    @abstractmethod
    def logits(self, images: Tensor) -> Tensor:
        """(n, classes) logits of (n, channels, *size) images in [0, 1]."""

    def features(self, images: Tensor) -> Tensor:
        """(n, d) features before the linear head.

        Raises:
            TypeError: the network has no such layer that is known.
        """
        raise TypeError(f"{type(self).__name__} does not tell its features; an engine that needs them cannot use it")

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        """(classes, d) weights and (classes,) biases of the linear head on `features`.

        Raises:
            TypeError: the network has no linear head that is known.
        """
        raise TypeError(f"{type(self).__name__} has no linear head that is known")

    def maps(self, images: Tensor) -> Tensor:
        """(n, d, *places) activations whose mean over the places (global average pooling) is `features`.

        Raises:
            TypeError: the network does not average a last map that is known.
        """
        raise TypeError(
            f"{type(self).__name__} has no global average pooling before its linear layer, so Mirror-CFE cannot move "
            "its feature map: take a DenseNet or a ResNet"
        )

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Activations from fine to coarse, one a resolution; the last is `maps`.

        Raises:
            TypeError: as `maps`.
        """
        return [self.maps(images)]

    @property
    def last_convolution(self) -> nn.Module:
        """The module whose output is the last (n, k, *places) stack of feature maps, as Grad-CAM looks at it: rectified
        where the network rectifies it.

        Raises:
            TypeError: the network has no such layer that is known.
        """
        raise TypeError(
            f"{type(self).__name__} tells no convolutional layer, so Grad-CAM cannot be used: "
            "take Integrated Gradients (ig) instead"
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images)

    def class_index(self, name: str) -> int:
        """The index of the class called `name`. Raises ValueError that lists the known names."""
        if name not in self.class_names:
            raise ValueError(f"no class {name!r}; the classifier knows {', '.join(self.class_names)}")
        return self.class_names.index(name)


def target_margin(logits: Tensor, target: int) -> Tensor:
    """The logit of class `target` against the rest: l_t - logsumexp(l_others), shape (n,).

    Its sigmoid is the softmax probability of `target`; for a binary classifier it is the single logit of METHODS.
    """
    others = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=1)
    return logits[:, target] - others.logsumexp(dim=1)


def is_class(logits: Tensor, target: int) -> Tensor:
    """(n,) bool: the argmax is `target` (for two classes: the sigmoid of the target logit exceeds 0.5)."""
    return logits.argmax(dim=1) == target


def resize(images: Tensor, size: tuple[int, ...]) -> Tensor:
    """Area-resample (n, channels, *spatial) images to `size`: averages going down, linear going up.

    The one way by which images reach a network's size: used for training, for explaining and for the second look of
    the classifier at a detail-transferred image.
    """
    if tuple(images.shape[2:]) == tuple(size):
        return images
    if all(old >= new for old, new in zip(images.shape[2:], size, strict=True)):
        return functional.interpolate(images, size, mode="area")
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(size)]
    return functional.interpolate(images, size, mode=mode, align_corners=False)
