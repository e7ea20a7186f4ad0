"""AttFind (StylEx, Lang et al. 2021) behind the one face of every method."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier, is_class, resize, target_margin
from cfcore.engines.base import Engine, Explanation, NamedDirection, Progress, Rendering, silent
from cfcore.engines.codes import Coder, draw_styles, split, styles_of
from cfcore.engines.measure import effect
from cfcore.engines.stored import read_engine, write_engine
from cfcore.engines.transfer import keep_mask
from cfcore.generators.stylex import StylEx

from .config import AttFindConfig
from .prerank import best_pairs, predicted_changes
from .search import BATCH, Found, Scratch, Task, fingerprint, search
from .select import independent, name_of, pair_of, ranked, subset

JOINT = ", "  # between the parts of a subset's name
WALKED = 4  # kept pairs tried at a time: most images that flip do so early


class AttFind(Engine):
    """StylEx with AttFind.

    A direction is a style coordinate and the end towards which it moves: "s417 +" is the 417th coordinate of the
    StyleSpace, from 1, towards the highest value that it takes over the training images. At degree d the coordinate
    becomes s + d (end - s). The condition of G is C's class of the source image throughout, and ToRGB stays.
    """

    name = "attfind"
    title = "StylEx with AttFind"
    paper = "StylEx and AttFind: Lang et al., Explaining in Style, ICCV 2021; for chest X-rays: seed 000, Table 1"
    generator_kind = "stylex"
    Config = AttFindConfig
    degree_range = (0.0, 5.0)
    default_degree = 1.0

    def __init__(self, classifier: Classifier, generator: StylEx, config: AttFindConfig, ends: Tensor) -> None:
        super().__init__()
        if generator.config.classes != len(classifier.class_names):
            raise ValueError(
                f"the generator was trained for {generator.config.classes} classes, "
                f"the classifier has {len(classifier.class_names)}: choose the pair that was trained together"
            )
        self.classifier, self.generator, self.config = classifier, generator, config
        self.coder = Coder(classifier, generator, config.refine, config.refine_rate)
        self.size = (generator.config.size,) * 2
        self.ends: Tensor
        self.register_buffer("ends", ends)
        self.found: Found | None = None
        self._directions: tuple[NamedDirection, ...] = ()
        self._joint: tuple[NamedDirection, ...] = ()

    @classmethod
    def fit(
        cls,
        classifier: Classifier,
        images: Tensor,
        target: int,
        config: AttFindConfig,
        progress: Progress = silent,
        *,
        generator: nn.Module | None = None,
        training: Tensor | None = None,
        scratch: Path | None = None,
    ) -> Self:
        """Search all pairs (or the best-predicted ones) on `images` and rank them by mean change of the target margin.

        Args:
            training: (t, channels, *spatial) images of every class, over which a coordinate's ends are taken;
                `images` when None, which keeps the moves inside what C does not call `target`.
            scratch: folder for partial results; the same call finds there what a killed one has done.

        Raises:
            ValueError: no generator, no image, an image that C already calls `target`, or fewer verified pairs than k.
            TypeError: `verified` < 1 with a classifier that passes no gradients.
        """
        if not isinstance(generator, StylEx):
            raise ValueError("AttFind needs a trained StylEx generator: choose or train one for this classifier")
        if len(images) == 0:
            raise ValueError("AttFind needs at least one image to search on")
        count = math.ceil(config.verified * 2 * generator.style_dimension)
        if count < config.k:
            raise ValueError(
                f"verified = {config.verified:g} leaves {count} of {2 * generator.style_dimension} pairs, "
                f"fewer than k = {config.k}: raise verified"
            )
        size = (generator.config.size,) * 2
        with torch.no_grad():
            small = resize(images, size)
            seen = small if training is None else resize(training, size)
            if is_class(_classify(classifier, small), target).any():
                raise ValueError(
                    f"some images are {classifier.class_names[target]!r} for the classifier already: "
                    "search on images that it gives another class"
                )
            engine = cls(classifier, generator, config, style_ends(generator, classifier, seen))
            codes = engine._codes(small, target)
        task = Task(generator, classifier, *split(codes), engine.ends, config.degree, target)
        settings = {"degree": config.degree, "verified": config.verified, "target": target}
        settings |= {"refine": config.refine, "refine_rate": config.refine_rate}
        store = Scratch(scratch, fingerprint([small, seen], [classifier, generator], settings))
        pairs = torch.arange(2 * generator.style_dimension)
        if config.verified < 1:
            predicted = predicted_changes(task, store, lambda share, text: progress(0.05 * share, text))
            pairs = best_pairs(predicted, count)
        engine.rank(search(task, pairs, store, progress))
        return engine

    def rank(self, found: Found) -> None:
        """Take the pairs of a search as this engine's directions, best first."""
        self.found, self.search_seconds = found, found.seconds
        self._directions = ranked(found.pairs, found.changes, found.flips, self.config.k)

    @classmethod
    def fit_in(
        cls,
        scratch: Path,
        classifier: Classifier,
        images: Tensor,
        target: int,
        config: AttFindConfig,
        progress: Progress = silent,
        *,
        generator: nn.Module | None = None,
        training: Callable[[], Tensor],
    ) -> Self:
        return cls.fit(
            classifier, images, target, config, progress, generator=generator, training=training(), scratch=scratch
        )

    def encode(self, images: Tensor, target: int) -> Tensor:
        """(n, width + 1): w and, as the last column, C's class of the image, which conditions G. With `config.refine`
        a row of w for every layer: (n, rows * width + 1)."""
        return self.coder.encode(images)

    def _codes(self, images: Tensor, target: int) -> Tensor:
        return torch.cat([self.encode(chunk, target) for chunk in images.split(BATCH)])

    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        if direction is None:
            if not self._directions:
                raise ValueError("no direction is ranked yet: fit the engine first")
            direction = self._directions[0].name
        return self.draw_sets(codes, [self._pairs(direction)] * len(codes), degrees)

    def draw_sets(self, codes: Tensor, sets: Sequence[Sequence[int]], degrees: Tensor) -> Tensor:
        """(b, 1, *size): each of b codes with its own set of pairs moved by its own of (b,) degrees."""
        w, label = split(codes)
        moved = styles_of(self.generator, w, label)
        for i, pairs in enumerate(sets):
            for pair in pairs:
                j = pair // 2
                moved[i, j] = moved[i, j] + degrees[i] * (self.ends[j, pair % 2] - moved[i, j])
        return draw_styles(self.generator, moved, w, label)

    def _pairs(self, direction: str) -> list[int]:
        """The pairs of a direction, or of several joined as a subset's name is: "s417 +, s22 -"."""
        pairs = [pair_of(name) for name in direction.split(",")]
        if beyond := [pair for pair in pairs if pair >= 2 * len(self.ends)]:
            raise ValueError(f"no direction {name_of(beyond[0])!r}: the StyleSpace has {len(self.ends)} coordinates")
        return pairs

    def describe(self, direction: str) -> str:
        """Where the coordinates lie: "16 × 16 px, second convolution, channel 33", channels from 1."""
        return "; ".join(self._place(pair // 2) for pair in self._pairs(direction))

    def _place(self, coordinate: int) -> str:
        start = 0
        for layer, length in enumerate(self.generator.synthesis.style_lengths):
            if coordinate < start + length:
                side = 4 * 2 ** ((layer + 1) // 2)
                which = "convolution" if layer == 0 else ("first convolution", "second convolution")[1 - layer % 2]
                return f"{side} × {side} px, {which}, channel {coordinate - start + 1}"
            start += length
        raise ValueError(f"the StyleSpace has {start} coordinates, there is no {coordinate + 1}th")

    def directions(self) -> tuple[NamedDirection, ...]:
        """The best pairs of the search, the kept ones first; then the subsets that `joined` took in. The changes of all
        pairs are in `found` right after `fit`."""
        return self._directions + self._joint

    def joined(self, direction: str, images: Tensor, target: int) -> NamedDirection:
        """A subset, "s417 +, s22 -", as a direction of its own: all its coordinates move by the same degree. `index`
        and `sign` are those of the first."""
        for entry in self.directions():
            if entry.name == direction:
                return entry
        first = self._pairs(direction)[0]
        change, explained = effect(self, direction, images, target, self.config.degree)
        entry = NamedDirection(direction, first // 2, 1 - 2 * (first % 2), change, explained, kept=True)
        self._joint = (*self._joint, entry)
        return entry

    @torch.no_grad()
    def explain(
        self, images: Tensor, target: int, *, rendering: Rendering = "detail transfer", progress: Progress = silent
    ) -> Explanation:
        """Explain each image with the kept pairs, by `config.selection`, at the search degree.

        An image that stays unflipped comes back moved along the best pair ("independent") or along all that raised
        its margin ("subset"), marked by `direction` None. `tried`: pairs walked, or size of the subset. A flip is
        judged on what is shown.
        """
        started = time.perf_counter()
        small = resize(images, self.size)
        kept = [pair_of(entry.name) for entry in self._directions if entry.kept]
        if not kept:
            raise ValueError("no direction is kept yet: fit the engine first")
        base, plain, names, tried = [], [], [], []
        for i in range(len(images)):
            codes = self.encode(small[i : i + 1], target)
            drawn = self._render(codes, small[i : i + 1], None, torch.zeros(1, device=small.device), target)
            keep = keep_mask(images[i : i + 1]) if rendering == "warped transfer" else None
            row = _Row(self, codes, images[i : i + 1], small[i : i + 1], drawn, keep, target, rendering)
            choose = self._first if self.config.selection == "independent" else self._subset
            chosen, count, flipped = choose(row, kept)
            base.append(drawn)
            plain.append(row.draw([chosen]))
            names.append(JOINT.join(name_of(pair) for pair in chosen) if flipped else None)
            tried.append(count)
            progress((i + 1) / len(images), f"{sum(n is not None for n in names)} of {i + 1} images explained")
        strength = torch.tensor([self.config.degree if name else float("nan") for name in names])
        return self._explanation(
            images,
            torch.cat(base),
            torch.cat(plain),
            target,
            rendering,
            tuple(names),
            strength,
            torch.tensor(tried),
            started,
        )

    @staticmethod
    def _first(row: _Row, kept: list[int]) -> tuple[tuple[int, ...], int, bool]:
        """Independent selection of one image: (pairs, number tried, flipped)."""
        for start in range(0, len(kept), WALKED):
            some = kept[start : start + WALKED]
            place = int(independent(row.flips([(pair,) for pair in some])[None])[0])
            if place >= 0:
                return (some[place],), start + place + 1, True
        return (kept[0],), len(kept), False

    @staticmethod
    def _subset(row: _Row, kept: list[int]) -> tuple[tuple[int, ...], int, bool]:
        """Subset selection of one image: (pairs, size of the subset, flipped)."""
        chosen, flipped = subset(kept, row.margins, lambda pairs: bool(row.flips([pairs])[0]))
        return chosen, len(chosen), flipped

    def save(self, folder: Path) -> None:
        write_engine(folder, {"ends": self.ends}, self.config, self.directions(), self.default_degree)

    @classmethod
    def load(cls, folder: Path, classifier: Classifier, *, generator: nn.Module | None = None) -> Self:
        if not isinstance(generator, StylEx):
            raise ValueError("AttFind needs the StylEx generator that it was fitted with")
        stored = read_engine(folder)
        ends = stored.tensors["ends"]
        if len(ends) != generator.style_dimension:
            raise ValueError(
                f"the engine was fitted to a generator of {len(ends)} style coordinates, this one has "
                f"{generator.style_dimension}: choose the generator that it was fitted with"
            )
        engine = cls(classifier, generator, AttFindConfig(**stored.config), ends)
        engine._directions = tuple(entry for entry in stored.directions if JOINT not in entry.name)
        engine._joint = tuple(entry for entry in stored.directions if JOINT in entry.name)
        engine.default_degree = stored.degree or cls.default_degree
        return engine


@dataclass(frozen=True)
class _Row:
    """One image under selection: what it takes to show it moved along any set of pairs."""

    engine: AttFind
    codes: Tensor
    image: Tensor
    small: Tensor
    base: Tensor
    keep: Tensor | None
    target: int
    rendering: Rendering

    def draw(self, sets: list[tuple[int, ...]]) -> Tensor:
        """(b, 1, size, size): the image moved along all pairs of each set, at the search degree."""
        parts = [sets[i : i + BATCH] for i in range(0, len(sets), BATCH)]
        degree = torch.full((BATCH,), self.engine.config.degree, device=self.codes.device)
        return torch.cat([self.engine.draw_sets(self.codes.expand(len(p), -1), p, degree[: len(p)]) for p in parts])

    def margins(self, sets: list[tuple[int, ...]]) -> Tensor:
        """(b,) margins of the generator's own pictures, by which pairs are added."""
        return target_margin(self.engine._logits(self.draw(sets)), self.target).cpu()

    def flips(self, sets: list[tuple[int, ...]]) -> Tensor:
        """(b,) bool, judged on what is shown."""
        shown = self.engine.transfer(self.image, self.base, self.draw(sets), self.rendering, keep=self.keep)
        return is_class(self.engine._logits(shown), self.target).cpu()


def _classify(classifier: Classifier, images: Tensor) -> Tensor:
    return torch.cat([classifier.logits(chunk) for chunk in images.split(BATCH)])


def style_ends(generator: StylEx, classifier: Classifier, images: Tensor) -> Tensor:
    """(m, 2) highest and lowest value of every style coordinate over images, each under its own class."""
    rows = []
    for chunk in images.split(BATCH):
        label = classifier.logits(resize(chunk, classifier.size)).argmax(dim=1)
        rows.append(generator.styles(generator.encode(chunk), label))
    styles = torch.cat(rows)
    return torch.stack([styles.amax(dim=0), styles.amin(dim=0)], dim=1)
