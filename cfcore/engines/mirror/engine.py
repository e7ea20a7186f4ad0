"""Mirror-CFE: the picture of every point on the way from an image to its mirror image in feature space."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier, is_class, resize, target_margin
from cfcore.generators.mirror import MirrorDecoder
from cfcore.generators.mirror.model import config_for
from cfcore.generators.mirror.view import View, Way, look
from cfcore.mirror.names import Points
from cfcore.rendering import DEFAULT_RENDERING, Rendering, keeps_source

from ..base import Engine, Explanation, NamedDirection, Progress, shrunk, silent
from ..one_way import Intended, OneWay
from ..remembered import digest
from ..stored import read_engine, write_engine
from .config import MirrorCFEConfig
from .search import bisection, every_step
from .ways import k_of, led_to, open_to_all, probability_at, reach

MIRROR, CONFIDENCE = "mirror", "confidence"
BATCH = 16
KEPT = 4  # batches of which C's levels are kept: a picture of 256 px takes megabytes


class MirrorEngine(OneWay, Engine):
    """G(z_k): z_k = z + k step lies between the features z of an image and their mirror image behind the boundary of
    its class and the target (seed 004, METHODS 5).

    Directions: "mirror", whose degree is k, and "confidence", whose degree is the wanted probability of the target: out
    of its reach the picture stays at k = 0 or k = 1, as does at k = 0 an image that C calls the target already. The
    class of an image is what C says of it, also where that is wrong: with the true class as target the engine shows
    what would make it right.

    A code is z; the classifier's other levels come from the image.
    """

    name = "mirror"
    title = "Mirror-CFE"
    paper = "seed 004: Looking in the Mirror: a faithful counterfactual explanation method"
    generator_kind = MirrorDecoder.kind
    Config = MirrorCFEConfig
    degree_range = (0.0, 1.0)
    default_degree = 1.0

    def __init__(self, classifier: Classifier, generator: MirrorDecoder, config: MirrorCFEConfig) -> None:
        super().__init__()
        fitting = config_for(classifier)
        if (fitting.head, fitting.levels) != (generator.config.head, generator.config.levels):
            raise ValueError(
                "the decoder was trained for another classifier: choose the pair that was trained together, or train "
                "a decoder for this one"
            )
        self.classifier, self.generator, self.config = classifier, generator, config
        self.size = tuple(classifier.size)
        self._directions: tuple[NamedDirection, ...] = ()
        self._views: OrderedDict[bytes, View] = OrderedDict()

    @property
    def points(self) -> Points:
        """The way to the mirror image that is used."""
        chosen = self.config.points
        return self.generator.config.points if chosen == "as trained" else chosen

    @classmethod
    @torch.no_grad()
    def fit(
        cls,
        classifier: Classifier,
        images: Tensor,
        target: int,
        config: MirrorCFEConfig,
        progress: Progress = silent,
        *,
        generator: nn.Module | None = None,
    ) -> Self:
        """Nothing is trained: `images` tell the mean change of the target margin (logits) at k = 1 against the
        reconstructions, and the share that flips.

        Raises:
            ValueError: a classifier without global average pooling; no decoder, or one of another classifier; no
                image, or one that C already calls `target`.
        """
        config_for(classifier)
        if not isinstance(generator, MirrorDecoder):
            raise ValueError("Mirror-CFE needs a trained Mirror-CFE decoder: choose or train one for this classifier")
        if len(images) == 0:
            raise ValueError("Mirror-CFE needs at least one image to measure its effect on")
        engine = cls(classifier, generator, config)
        small = resize(images, engine.size)
        changes, flips = [], []
        for start in range(0, len(small), BATCH):
            way = engine.way(small[start : start + BATCH], target)
            zeros = torch.zeros(len(way.target), device=small.device)
            before, after = (engine.judge(engine._draw(way, zeros + k)) for k in (0.0, 1.0))
            changes.append(target_margin(after, target) - target_margin(before, target))
            flips.append(is_class(after, target).float())
            progress(min(1.0, (start + BATCH) / len(small)), "mirror images")
        change, share = torch.cat(changes).mean().item(), torch.cat(flips).mean().item()
        engine._directions = tuple(
            NamedDirection(name, index, 1, change, share, kept=True) for index, name in enumerate((MIRROR, CONFIDENCE))
        )
        return engine

    def directions(self) -> tuple[NamedDirection, ...]:
        """Two ways to say how far: k, or the wanted confidence. Their effects, as `fit` found them, are of k = 1."""
        return self._directions

    def describe(self, direction: str) -> str:
        if direction == CONFIDENCE:
            return "the same way; the degree is the probability of the target that is wanted"
        return "the way to the mirror image in feature space; 0.5 lies on the boundary of the two classes, 1 behind it"

    @torch.no_grad()
    def way(self, images: Tensor, target: int) -> Way:
        """From (n, channels, *size) images, at the network's size, to their mirror images: features, logits and
        pictures of every k.

        Raises:
            ValueError: an image that C calls `target` already.
        """
        return led_to(self.classifier, self._look(images), target, self.points)

    def _look(self, images: Tensor) -> View:
        # One image at many degrees comes as n views of the same memory.
        alike = len(images) > 1 and images.stride(0) == 0
        rows = images[:1] if alike else images
        key = digest(rows)
        if key not in self._views:
            self._views[key] = look(self.classifier, rows)
        self._views.move_to_end(key)
        while len(self._views) > KEPT:
            self._views.popitem(last=False)
        view, n = self._views[key], len(images)
        if not alike:
            return view
        return View(
            [level.expand(n, *level.shape[1:]) for level in view.levels],
            view.z.expand(n, -1),
            view.logits.expand(n, -1),
        )

    def _draw(self, way: Way, k: Tensor) -> Tensor:
        bounds = (self.config.upper, self.config.lower) if self.config.bounds == "own" else None
        return way.draw(self.generator, k, bounds)

    def encode(self, images: Tensor, target: int) -> Tensor:
        """(n, d) features z of images at the network's size."""
        return self._look(images).z

    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        way, stays = self._open_way(images, target)
        return self._draw(way, self._point(way, stays, direction, degrees))

    def _render_mix(self, codes: Tensor, images: Tensor, moves: Mapping[str | None, Tensor], target: int) -> Tensor:
        raise ValueError(f"{' and '.join(map(str, moves))} are measures of one way: move the image by one of them")

    @torch.no_grad()
    def intended(self, images: Tensor, target: int, direction: str, degrees: Tensor) -> Intended:
        way, stays = self._open_way(images, target)
        k = self._point(way, stays, direction, degrees)
        low, high, at = (probability_at(way, target, point) for point in (torch.zeros_like(k), torch.ones_like(k), k))
        return Intended(k, at, low, torch.where(stays, low, high), stays)

    def _open_way(self, images: Tensor, target: int) -> tuple[Way, Tensor]:
        return open_to_all(self.classifier, self._look(images), target, self.points)

    def _point(self, way: Way, stays: Tensor, direction: str | None, degrees: Tensor) -> Tensor:
        if direction not in (None, MIRROR, CONFIDENCE):
            raise ValueError(f"no direction {direction!r}: Mirror-CFE has {MIRROR} and {CONFIDENCE}")
        if direction == CONFIDENCE:
            low, high = reach(self.classifier, way)
            degrees = k_of(self.classifier, way, degrees.to(low).clamp(low, high)).to(degrees)
        return degrees.masked_fill(stays, 0)

    @torch.no_grad()
    def reachable(self, images: Tensor, target: int) -> tuple[Tensor, Tensor]:
        """(n,) probability of `target` intended at k = 0 and at k = 1, for images at the network's size."""
        return reach(self.classifier, self.way(images, target))

    @torch.no_grad()
    def k_for(self, images: Tensor, target: int, confidence: Tensor) -> Tensor:
        """(n,) k at which z_k has the (n,) wanted probabilities of `target`: exact for two classes, by bisection on the
        softmax for more.

        Raises:
            ValueError: a probability out of reach; names the range. An image that C calls `target` already.
        """
        return k_of(self.classifier, self.way(images, target), confidence)

    @torch.no_grad()
    def first(
        self, images: Tensor, target: int, *, rendering: Rendering = "plain", progress: Progress = silent
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The first counterfactual of (n, channels, *spatial) images of any resolution.

        Returns:
            (n,) k: the smallest of the grid at which the picture (with a transfer: the image plus its change, at its
            own resolution up to `base.MOST_WARPED` pixels a side) is `target` for C; that of the greatest margin where
            there is none.
            (n,) bool: whether there is one.
            (n,) how many k were tried.
        """
        search = every_step if self.config.search == "every step" else bisection
        parts = []
        small = resize(images, self.size)
        for start in range(0, len(images), BATCH):
            chunk, source = small[start : start + BATCH], shrunk(images[start : start + BATCH])
            way = self.way(chunk, target)
            base = self._draw(way, torch.zeros(len(chunk), device=chunk.device))

            def margin(rows: Tensor, k: Tensor, way: Way = way, base: Tensor = base, source: Tensor = source) -> Tensor:
                shown = self._draw(way.rows(rows), k.to(source))
                if keeps_source(rendering):
                    # The change is enlarged before C sees it made small again, which weakens it: at the boundary, where
                    # a first counterfactual lies, that decides.
                    shown = self.transfer(source[rows], base[rows], shown, "detail transfer")
                return lead(self._logits(shown), target).cpu()

            parts.append(search(margin, len(chunk), self.config.last))
            progress(min(1.0, (start + BATCH) / len(images)), "first counterfactuals")
        k, found, tried = (torch.cat(column) for column in zip(*parts, strict=True))
        return k, found, tried

    @torch.no_grad()
    def explain(
        self,
        images: Tensor,
        target: int,
        *,
        rendering: Rendering = DEFAULT_RENDERING,
        progress: Progress = silent,
    ) -> Explanation:
        """Each image's first counterfactual, its k as strength; with `direction` None and strength nan the k of the
        greatest margin where no k of the grid is the target."""
        started = time.perf_counter()
        small = resize(images, self.size)
        k, found, tried = self.first(images, target, rendering=rendering, progress=progress)
        drawn = []
        for chunk, at in zip(small.split(BATCH), k.to(small).split(BATCH), strict=True):
            way = self.way(chunk, target)
            drawn.append((self._draw(way, torch.zeros_like(at)), self._draw(way, at)))
        base, plain = (torch.cat(column) for column in zip(*drawn, strict=True))
        names = tuple(MIRROR if hit else None for hit in found.tolist())
        strength = torch.where(found, k, float("nan"))
        return self._explanation(images, base, plain, target, rendering, names, strength, tried, started)

    def save(self, folder: Path) -> None:
        write_engine(folder, {}, self.config, self._directions, self.default_degree)

    @classmethod
    def load(cls, folder: Path, classifier: Classifier, *, generator: nn.Module | None = None) -> Self:
        if not isinstance(generator, MirrorDecoder):
            raise ValueError("Mirror-CFE needs the Mirror-CFE decoder that it was fitted with")
        stored = read_engine(folder)
        engine = cls(classifier, generator, MirrorCFEConfig(**stored.config))
        engine._directions = stored.directions
        engine.default_degree = stored.degree or cls.default_degree
        return engine


def lead(logits: Tensor, target: int) -> Tensor:
    """(n,) the logit of `target` less the greatest other one: above 0 where the argmax is `target`."""
    others = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=1)
    return logits[:, target] - others.amax(dim=1)
