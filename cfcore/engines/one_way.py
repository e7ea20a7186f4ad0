"""Engines that know, before they draw, what the classifier is to say of a picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Intended:
    """Points on the ways of n images, before anything is drawn.

    Attributes:
        k: (n,) in [0, 1], how far along the way. probability: (n,) of the target there.
        low, high: (n,) the least and the greatest probability of the target on the way.
        already: (n,) bool, whether C calls the image the target as it is: it stays where it is, at k = 0.
    """

    k: Tensor
    probability: Tensor
    low: Tensor
    high: Tensor
    already: Tensor


class OneWay(ABC):
    """An engine that leads each image along one way, on which every point has an intended probability of the target.

    Its directions are different measures of how far to go, so that an image is moved by one of them at a time.
    """

    @abstractmethod
    def intended(self, images: Tensor, target: int, direction: str, degrees: Tensor) -> Intended:
        """What (n, channels, *size) images, at the network's size, are to be at (n,) degrees of a direction.

        A probability out of reach stays at the nearer end of the way.

        Raises:
            ValueError: no such direction.
        """
