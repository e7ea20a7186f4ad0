"""Latents of images, found once a process by every method that looks for them in the same way."""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.generators.medxgan import MedXGAN
from cfcore.generators.medxgan.inversion import Search, invert

from ..base import Progress
from ..remembered import Remembered


class Latents:
    """(z1, z2) of images as the inversion finds them, remembered; several threads may ask.

    Keeps neither network alive: a caller brings them along.
    """

    def __init__(self) -> None:
        self._known = Remembered()
        # One at a time: of two that ask for the same image the second one finds it.
        self._searching = threading.RLock()

    def of(
        self, generator: MedXGAN, classifier: Classifier, images: Tensor, search: Search, progress: Progress
    ) -> Tensor:
        """(n, anatomy + pathology) of (n, 1, size, size) images in [0, 1]. Raises ValueError as `invert`."""

        def found(fresh: Tensor, tell: Progress) -> Tensor:
            return torch.cat(invert(generator, classifier, fresh, search, tell).best, dim=1)

        with self._searching:
            return self._known.rows(images, found, progress=progress)


_every: WeakKeyDictionary[MedXGAN, WeakKeyDictionary[Classifier, dict[object, Latents]]] = WeakKeyDictionary()
_making = threading.Lock()


def latents_of(generator: MedXGAN, classifier: Classifier, search: Search) -> Latents:
    """The one memory of this process for these two networks, as they are now, and this search."""
    with _making:
        own = _every.setdefault(generator, WeakKeyDictionary()).setdefault(classifier, {})
        return own.setdefault((search, _state(generator), _state(classifier)), Latents())


def _state(network: nn.Module) -> tuple[object, ...]:
    """Another one after every change of a weight in place, and on another device."""
    return tuple((t._version, t.device, t.dtype) for t in (*network.parameters(), *network.buffers()))
