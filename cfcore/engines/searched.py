"""Methods that search one counterfactual an image, by the classifier's gradient: all but the search itself."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier, is_class, resize, target_margin
from cfcore.rendering import DEFAULT_RENDERING, Rendering

from .base import Engine, Explanation, NamedDirection, Progress, silent
from .remembered import Remembered
from .stored import read_engine, write_engine


class Searched(Engine):
    """A method with one counterfactual an image, so with one direction, called by the method's short name.

    Degree 1 is the counterfactual, degree 0 the reconstruction. Where the search returns nothing, `Explanation`
    has direction None and strength nan, and the picture is the best that was tried. A code is what the search found
    and, in its last column, 1 where it found a counterfactual, else 0; searched once an image and remembered. Codes of
    one image in batches of different sizes agree to rounding.

    A subclass owes `label`, `_search` and `_render`, which begins with `_check`.

    Attributes:
        label: name of the direction. batch: images that are searched at once.
    """

    label: ClassVar[str]
    batch: ClassVar[int] = 32
    Config: ClassVar[type]
    degree_range = (0.0, 1.0)
    default_degree = 1.0

    def __init__(self, classifier: Classifier, config: Any, generator: nn.Module | None = None) -> None:
        super().__init__()
        self.classifier, self.config, self.generator = classifier, config, generator
        # In training mode batch norm would mix the images of a batch, and learn from them.
        classifier.eval()
        self.size = tuple(classifier.size)
        self._directions: tuple[NamedDirection, ...] = ()
        self._known = Remembered(self.batch)

    @abstractmethod
    def _search(self, images: Tensor, target: int, progress: Progress) -> tuple[Tensor, Tensor]:
        """What was found for (b, channels, *size) images: (b, ...) floats from which `_render` draws, and (b,) bool,
        whether the search returns a counterfactual. Called without gradients."""

    @classmethod
    @torch.no_grad()
    def fit(
        cls,
        classifier: Classifier,
        images: Tensor,
        target: int,
        config: Any,
        progress: Progress = silent,
        *,
        generator: nn.Module | None = None,
    ) -> Self:
        """Nothing is trained: the search on `images` tells the mean change of the target margin (logits) against the
        reconstructions, and the share that flips.

        Raises:
            ValueError: no image, or one that C already calls `target`; a generator that does not fit.
            TypeError: the classifier passes no gradients.
        """
        if len(images) == 0:
            raise ValueError(f"{cls.title} needs at least one image to measure its effect on")
        engine = cls(classifier, config, generator)
        small = resize(images, engine.size)
        if is_class(engine.judge(small), target).any():
            raise ValueError(
                f"some images are {classifier.class_names[target]!r} for the classifier already: "
                "search on images that it gives another class"
            )
        codes = engine._codes(small, target, progress)
        before, after = (engine.judge(engine._drawn(codes, small, degree, target)) for degree in (0.0, 1.0))
        change = (target_margin(after, target) - target_margin(before, target)).mean().item()
        flips = is_class(after, target).float().mean().item()
        engine._directions = (NamedDirection(cls.label, 0, 1, change, flips, kept=True),)
        progress(1.0, "done")
        return engine

    def directions(self) -> tuple[NamedDirection, ...]:
        """The one direction, its effect measured by `fit`."""
        return self._directions

    def encode(self, images: Tensor, target: int) -> Tensor:
        """(n, d + 1): what the search found, flattened, and 1 where that is a counterfactual, else 0."""
        return self._codes(images, target, silent)

    def _codes(self, images: Tensor, target: int, progress: Progress) -> Tensor:
        def find(rows: Tensor, tell: Progress) -> Tensor:
            values, found = self._search(rows, target, tell)
            return torch.cat([values.flatten(1), found[:, None].to(values)], dim=1)

        with torch.no_grad():
            return self._known.rows(images, find, target, progress)

    def _check(self, direction: str | None) -> None:
        if direction not in (None, self.label):
            raise ValueError(f"no direction {direction!r}: {self.title} has one, {self.label}")

    def _drawn(self, codes: Tensor, images: Tensor, degree: float, target: int) -> Tensor:
        rows = zip(codes.split(self.batch), images.split(self.batch), strict=True)
        return torch.cat([self._render(c, i, None, torch.full((len(c),), degree).to(c), target) for c, i in rows])

    @torch.no_grad()
    def explain(
        self,
        images: Tensor,
        target: int,
        *,
        rendering: Rendering = DEFAULT_RENDERING,
        progress: Progress = silent,
    ) -> Explanation:
        """Each image's counterfactual, at degree 1."""
        started = time.perf_counter()
        small = resize(images, self.size)
        codes = self._codes(small, target, progress)
        base, plain = (self._drawn(codes, small, degree, target) for degree in (0.0, 1.0))
        found = codes[:, -1].cpu() > 0.5
        names = tuple(self.label if hit else None for hit in found.tolist())
        strength = torch.where(found, 1.0, float("nan"))
        tried = torch.ones(len(images), dtype=torch.long)
        return self._explanation(images, base, plain, target, rendering, names, strength, tried, started)

    def save(self, folder: Path) -> None:
        write_engine(folder, {}, self.config, self._directions, self.default_degree)

    @classmethod
    def load(cls, folder: Path, classifier: Classifier, *, generator: nn.Module | None = None) -> Self:
        stored = read_engine(folder)
        engine = cls(classifier, cls.Config(**stored.config), generator)
        engine._directions = stored.directions
        engine.default_degree = stored.degree or cls.default_degree
        return engine


def differentiated(
    classifier: Classifier, images: Tensor, loss: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """(n, classes) logits of (n, channels, *size) images, and the gradient of an (n,) loss of (images, logits) at them.

    Raises:
        TypeError: the classifier passes no gradients.
    """
    with torch.enable_grad():
        leaf = images.detach().clone().requires_grad_()
        logits = classifier.logits(leaf)
        if not logits.requires_grad:
            raise TypeError(
                f"{type(classifier).__name__} passes no gradients, so no counterfactual can be searched in pixels: "
                "take the network's weights (safetensors) or a torch.export program in their place"
            )
        # The images of a batch do not see each other, so the gradient of the sum holds every image's own.
        (gradient,) = torch.autograd.grad(loss(leaf, logits).sum(), leaf)
    return logits.detach(), gradient


class PixelSearch(Searched):
    """A search in the pixels themselves. The reconstruction is the image; between it and the counterfactual lies the
    straight line in pixels. A code is the counterfactual, flattened."""

    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        self._check(direction)
        towards = codes[:, :-1].view(-1, *images.shape[1:])
        # lerp is exact at both ends.
        return images.lerp(towards, degrees.view(-1, *[1] * (images.dim() - 1))).clamp(0, 1)
