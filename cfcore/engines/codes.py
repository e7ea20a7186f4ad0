"""An image's code as the engines carry it: E(x) or what refinement makes of it, and C's class of the source."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.generators.stylex import StylEx
from cfcore.generators.stylex.prepared import prepared
from cfcore.generators.stylex.refine import Refinement, refine

from .base import Progress
from .remembered import Remembered


class Coder:
    """Codes of images: (n, width + 1) from the encoder, (n, rows * width + 1) where each is refined in "w+".

    The last column is C's class of the source, which conditions G throughout. Refined codes are remembered by the
    image's bytes, so that explaining, moving and judging one image use one code and the steps are made once.

    Args:
        steps: optimiser steps; 0: the encoder's code as it is. rate: see `Refinement`.
    """

    def __init__(self, classifier: Classifier, generator: StylEx, steps: int, rate: float) -> None:
        self.classifier, self.generator = classifier, generator
        self.drawer = prepared(generator) if steps else generator
        self.refinement = Refinement(steps, rate, "w+")
        # One image at a time: many steps enlarge the rounding that differs between batch sizes (0.002 of the grey range
        # after 20 steps), and an image's explanation must not depend on its neighbours.
        self._known = Remembered(batch=1)

    @property
    def length(self) -> int:
        """Entries of a code, the class among them."""
        rows = len(self.generator.synthesis.convs) + 1 if self.refinement.steps else 1
        return rows * self.generator.config.width + 1

    def encode(self, images: Tensor) -> Tensor:
        """(n, length) codes of (n, channels, *size) images in [0, 1] at the network's size."""
        if self.refinement.steps == 0:
            label = self.classifier.logits(images).argmax(dim=1, keepdim=True)
            return torch.cat([self.generator.encode(images), label.to(images)], dim=1)
        return self._known.rows(images, self._refined)

    def _refined(self, image: Tensor, progress: Progress) -> Tensor:
        label = self.classifier.logits(image).argmax(dim=1)
        # Engines draw without gradients; the steps need them.
        with torch.enable_grad():
            rows = refine(self.drawer, image, label, self.refinement)
        return torch.cat([rows.flatten(1), label[:, None].to(rows)], dim=1)


def split(codes: Tensor) -> tuple[Tensor, Tensor]:
    """(n, d) codes without the class, and the (n,) class."""
    return codes[:, :-1], codes[:, -1].long()


def draw(generator: StylEx, w: Tensor, label: Tensor) -> Tensor:
    """(n, channels, *size) in [0, 1] from (n, width) codes or (n, rows * width) refined ones."""
    if _is_one(generator, w):
        return generator.decode(w, label)
    return draw_styles(generator, styles_of(generator, w, label), w, label)


def styles_of(generator: StylEx, w: Tensor, label: Tensor) -> Tensor:
    """(n, m) StyleSpace coordinates of codes; row i of a refined code drives convolution i."""
    if _is_one(generator, w):
        return generator.styles(w, label)
    return generator.synthesis.styles_of_rows(_rows(generator, w), generator.embedding(label))


def image_styles_of(generator: StylEx, w: Tensor, label: Tensor) -> list[Tensor]:
    """The styles of every ToRGB, and the coordinates of the detail layer where there is one."""
    if _is_one(generator, w):
        return generator.synthesis.image_styles(w, generator.embedding(label))
    return generator.synthesis.image_styles_of_rows(_rows(generator, w), generator.embedding(label))


def draw_styles(generator: StylEx, styles: Tensor, w: Tensor, label: Tensor) -> Tensor:
    """Like `draw` with the (n, m) StyleSpace coordinates given; ToRGB keeps following the code."""
    if _is_one(generator, w):
        return generator.decode_styles(styles, w, label)
    return generator.synthesis.draw(styles, image_styles_of(generator, w, label)).clamp(0, 1)


def move(generator: StylEx, w: Tensor, shift: Tensor) -> Tensor:
    """Codes moved by (n, width) shifts of w, which reach every layer: every row of a refined code."""
    return w + shift if _is_one(generator, w) else w + shift.repeat(1, w.shape[1] // generator.config.width)


def _is_one(generator: StylEx, w: Tensor) -> bool:
    return w.shape[1] == generator.config.width


def _rows(generator: StylEx, w: Tensor) -> Tensor:
    return w.unflatten(1, (-1, generator.config.width))
