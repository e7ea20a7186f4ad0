"""Any attribution map as a counterfactual method: replace the pixels that speak against the target."""

from __future__ import annotations

import time
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from cfcore.attribution.fills import replace_top
from cfcore.attribution.names import FILLED, Fill
from cfcore.attribution.score import Score
from cfcore.classifiers.base import Classifier, is_class, resize, target_margin
from cfcore.engines.base import Engine, Explanation, NamedDirection, Progress, silent
from cfcore.engines.remembered import Remembered
from cfcore.engines.stored import read_engine, write_engine
from cfcore.rendering import DEFAULT_RENDERING, Rendering

from .config import MOST, AblationConfig

BATCH = 16


class Ablation(Engine):
    """The image with the pixels replaced that matter most, after seed 001, section 4.1.

    The map explains the score against the target, -(l_t - logsumexp(others)): for a binary classifier the margin of
    the class that the image has now. So evidence for that class goes, and p(target) rises where the map is right.

    A direction is a fill, a degree per cent of the pixels, largest values first. The code of an image is its map,
    flattened; the reconstruction is the image. A subclass owes `_map`; its own settings follow those of
    `AblationConfig`.
    """

    Config: ClassVar[type]
    degree_range = (0.0, MOST)
    default_degree = 10.0

    def __init__(self, classifier: Classifier, config: AblationConfig, generator: nn.Module | None = None) -> None:
        super().__init__()
        self.classifier, self.config, self.generator = classifier, config, generator
        self.size = tuple(classifier.size)
        self._directions: tuple[NamedDirection, ...] = ()
        self._known = Remembered(batch=1)

    @abstractmethod
    def _map(self, image: Tensor, score: Score) -> Tensor:
        """(1, 1, *size): what speaks for the score in a (1, channels, *size) image."""

    @classmethod
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
        """Rank the fills by the mean change of the target margin over `images`, at the degree of the config.

        Raises:
            ValueError: no image, or one that C already calls `target`; a generator that does not fit.
            TypeError: the classifier passes no gradients, or lacks the layer that the map needs.
        """
        if len(images) == 0:
            raise ValueError(f"{cls.title} needs at least one image to rank the fills on")
        engine = cls(classifier, config, generator)
        with torch.no_grad():
            small = resize(images, engine.size)
            before = engine.judge(small)
            if is_class(before, target).any():
                raise ValueError(
                    f"some images are {classifier.class_names[target]!r} for the classifier already: "
                    "search on images that it gives another class"
                )
            codes = []
            for i, chunk in enumerate(small.split(BATCH)):
                progress(i * BATCH / len(small), f"attributing image {i * BATCH + 1} of {len(small)}")
                codes.append(engine.encode(chunk, target))
            engine._directions = engine._ranked(torch.cat(codes), small, before, target)
        progress(1.0, "done")
        return engine

    def _ranked(self, codes: Tensor, small: Tensor, before: Tensor, target: int) -> tuple[NamedDirection, ...]:
        found = []
        degrees = torch.full((len(small),), self.config.degree, device=small.device)
        for i, fill in enumerate(self.config.fills):
            after = self.judge(self._render(codes, small, fill, degrees, target))
            change = (target_margin(after, target) - target_margin(before, target)).mean().item()
            flipped = is_class(after, target).float().mean().item()
            found.append(NamedDirection(fill, i, 1, change, flipped, kept=True))
        return tuple(sorted(found, key=lambda entry: -entry.mean_change))

    def directions(self) -> tuple[NamedDirection, ...]:
        return self._directions

    def describe(self, direction: str) -> str:
        """What stands in the place of the pixels."""
        return FILLED[_fill(direction)]

    def encode(self, images: Tensor, target: int) -> Tensor:
        """(n, pixels): the attribution map of each image, flattened.

        Remembered by the image's bytes, and made one image at a time, so that no map depends on an image's neighbours.
        """
        score = Score(self.classifier, target, against=True)
        return self._known.rows(images, lambda image, _: self._map(image, score).flatten(1), target)

    @torch.no_grad()
    def attribution(self, codes: Tensor, images: Tensor, target: int) -> Tensor:
        """(n, 1, *size) float32: the map itself, in logits; positive pixels speak for what C thinks now."""
        return codes.view(len(codes), 1, *self.size)

    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        if direction is None:
            direction = self._best().name
        return replace_top(images, codes.view(len(codes), 1, *self.size), degrees / 100, _fill(direction))

    def _best(self) -> NamedDirection:
        if not self._directions:
            raise ValueError("no fill is ranked yet: fit the engine first")
        return self._directions[0]

    @torch.no_grad()
    def explain(
        self,
        images: Tensor,
        target: int,
        *,
        rendering: Rendering = DEFAULT_RENDERING,
        progress: Progress = silent,
    ) -> Explanation:
        """Fill each image's most important pixels with the first fill, in their order, that flips it.

        An image that no fill flips comes back with the best one, marked by `direction` None.
        """
        started = time.perf_counter()
        self._best()
        small = resize(images, self.size)
        codes = torch.cat([self.encode(chunk, target) for chunk in small.split(BATCH)])
        degrees = torch.full((len(small),), self.config.degree, device=small.device)
        plain, tried = small.clone(), torch.zeros(len(small), dtype=torch.long)
        names: list[str | None] = [None] * len(small)
        for place, entry in enumerate(self._directions):
            rows = torch.tensor([i for i, name in enumerate(names) if name is None], dtype=torch.long)
            if len(rows) == 0:
                break
            drawn = self._render(codes[rows], small[rows], entry.name, degrees[rows], target)
            shown = self.transfer(images[rows], small[rows], drawn, rendering)
            flips = is_class(self._logits(shown), target).cpu()
            take = torch.ones_like(flips) if place == 0 else flips
            plain[rows[take]] = drawn[take]
            tried[rows] += 1
            for row in rows[flips].tolist():
                names[row] = entry.name
            progress((place + 1) / len(self._directions), f"{sum(n is not None for n in names)} images explained")
        strength = torch.tensor([self.config.degree if name else float("nan") for name in names])
        return self._explanation(images, small, plain, target, rendering, tuple(names), strength, tried, started)

    def save(self, folder: Path) -> None:
        write_engine(folder, {}, self.config, self._directions, self.default_degree)

    @classmethod
    def load(cls, folder: Path, classifier: Classifier, *, generator: nn.Module | None = None) -> Self:
        stored = read_engine(folder)
        engine = cls(classifier, cls.Config(**stored.config), generator)
        engine._directions = stored.directions
        engine.default_degree = stored.degree or cls.default_degree
        return engine


def _fill(direction: str) -> Fill:
    for name in FILLED:
        if name == direction:
            return name
    raise ValueError(f"no direction {direction!r}; the fills are {', '.join(FILLED)}")
