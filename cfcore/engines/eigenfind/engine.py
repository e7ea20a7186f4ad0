"""The engine: phase 1 ranks the pairs, phase 2 explains images with them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier, is_class, resize, target_margin
from cfcore.generators.stylex import StylEx
from cfcore.generators.stylex.prepared import prepared

from ..base import Engine, Explanation, NamedDirection, Progress, Rendering, silent
from ..codes import Coder, draw, draw_styles, move, split, styles_of
from ..remembered import digest
from ..stored import read_engine, write_engine
from .basis import eigenvectors
from .config import EigenFindConfig, batch_size
from .search import ranked, search
from .walk import Look, least, walk


class EigenFind(Engine):
    """StylEx with EigenFind.

    The condition of G is C's class of the source image throughout. A direction is named by its number in the order of
    singular values, from 1 as in the paper's Table 2, and its sign: "v17 +". Memory beside the images themselves: two
    numbers an (image, pair) during the search, one an image after it, and one batch of pictures.

    Attributes:
        changes: (n, scan, 2) what the search of this process measured, see `Measured`; empty where it was loaded.
    """

    name = "eigenfind"
    title = "StylEx with EigenFind"
    paper = "seed 000: eigenvectors of StylEx for chest X-rays (EigenFind); StylEx: Lang et al., ICCV 2021"
    generator_kind = "stylex"
    Config = EigenFindConfig
    degree_range = (-20.0, 20.0)
    default_degree = 10.0

    def __init__(self, classifier: Classifier, generator: StylEx, config: EigenFindConfig, basis: Tensor) -> None:
        super().__init__()
        if generator.config.classes != len(classifier.class_names):
            raise ValueError(
                f"the generator was trained for {generator.config.classes} classes, "
                f"the classifier has {len(classifier.class_names)}: choose the pair that was trained together"
            )
        self.classifier, self.generator, self.config = classifier, generator, config
        self.painter = prepared(generator)
        self.coder = Coder(classifier, generator, config.refine, config.refine_rate)
        self.size = (generator.config.size,) * 2
        self.basis: Tensor
        self.register_buffer("basis", basis)
        self.changes = torch.empty(0, config.scan, 2)
        self._directions: tuple[NamedDirection, ...] = ()
        # Of each image of phase 1, by target and digest: its code, and the first kept pair that flips it (-1: none).
        self._known: dict[tuple[int, bytes], tuple[Tensor, int]] = {}

    @classmethod
    @torch.no_grad()
    def fit(
        cls,
        classifier: Classifier,
        images: Tensor,
        target: int,
        config: EigenFindConfig,
        progress: Progress = silent,
        *,
        generator: nn.Module | None = None,
    ) -> Self:
        """Phase 1 of Algorithm 1: rank the (eigenvector, sign) pairs on `images`.

        The score of a pair is the mean over images of the change of the target margin against the image's own
        reconstruction, at degree `config.degree`.

        Raises:
            ValueError: no generator, no image, or an image that C already calls `target`.
        """
        if not isinstance(generator, StylEx):
            raise ValueError("EigenFind needs a trained StylEx generator: choose or train one for this classifier")
        if len(images) == 0:
            raise ValueError("EigenFind needs at least one image to rank the directions on")
        small = resize(images, (generator.config.size,) * 2)
        engine = cls(classifier, generator, config, eigenvectors(generator, classifier, small, config))
        codes = engine._encode_all(small, target)
        if (codes[:, -1] == target).any():
            raise ValueError(
                f"some images are {classifier.class_names[target]!r} for the classifier already: "
                "search on images that it gives another class"
            )
        slopes = engine._first_order(codes, target) if config.prerank else None
        found = search(engine._judge, codes, engine.basis, target, config, progress, slopes)
        engine._directions, engine.changes = ranked(found, config), found.changes
        engine._remember(small, codes, target, found.flips)
        return engine

    def encode(self, images: Tensor, target: int) -> Tensor:
        """(n, width + 1): w and, as the last column, C's class of the image, which conditions G. With `config.refine`
        a row of w for every layer: (n, rows * width + 1)."""
        return self.coder.encode(images)

    @property
    def batch(self) -> int:
        """Pictures drawn and judged at once where the engine is."""
        return batch_size(self.basis.device)

    def _encode_all(self, images: Tensor, target: int) -> Tensor:
        return torch.cat([self.encode(chunk, target) for chunk in images.split(self.batch)])

    def _recall(self, small: Tensor, target: int) -> tuple[Tensor, list[int | None]]:
        """Codes of images, and the first kept pair that flips each where phase 1 has seen it (-1: none), else None."""
        known = [self._known.get((target, digest(image))) if self._known else None for image in small]
        fresh = torch.tensor([row for row, found in enumerate(known) if found is None], dtype=torch.long)
        codes = torch.empty(len(small), self.coder.length, device=small.device, dtype=small.dtype)
        for rows in fresh.split(self.batch):
            if len(rows):
                codes[rows] = self.encode(small[rows], target)
        for row, found in enumerate(known):
            if found is not None:
                codes[row] = found[0]
        return codes, [None if found is None else found[1] for found in known]

    def _first_order(self, codes: Tensor, target: int) -> tuple[Tensor, Tensor]:
        """(n, scan) change of the margin per unit of degree, and the (n,) margins of the reconstructions, by one
        forward and one backward pass an image."""
        effects, margins = [], []
        for chunk in codes.split(self.batch):
            with torch.enable_grad():
                still = torch.zeros(len(chunk), self.basis.shape[1], device=codes.device, requires_grad=True)
                margin = target_margin(self._judge(chunk, still), target)
                if not margin.requires_grad:
                    raise TypeError(
                        f"{type(self.classifier).__name__} passes no gradients, so nothing can be ranked by them: "
                        "set prerank to 0"
                    )
                slope = torch.autograd.grad(margin.sum(), still)[0]
            effects.append(slope @ self.basis.T)
            margins.append(margin.detach())
        return torch.cat(effects), torch.cat(margins)

    def _draw(self, codes: Tensor, shift: Tensor) -> Tensor:
        """Draw codes of `encode` moved by (n, d) shifts: in the StyleSpace (basis "style") or in w."""
        w, label = split(codes)
        if self.config.basis == "style":
            return draw_styles(self.painter, styles_of(self.painter, w, label) + shift, w, label)
        return draw(self.painter, move(self.painter, w, shift), label)

    def _judge(self, codes: Tensor, shift: Tensor) -> Tensor:
        return self.classifier.logits(resize(self._draw(codes, shift), self.classifier.size))

    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        return self._draw(codes, degrees[:, None] * self._unit(direction))

    def _render_mix(self, codes: Tensor, images: Tensor, moves: Mapping[str | None, Tensor], target: int) -> Tensor:
        """Moves add up where the basis lies: in the StyleSpace (basis "style") or in w."""
        shifts = [degrees[:, None] * self._unit(name) for name, degrees in moves.items()]
        return self._draw(codes, torch.stack(shifts).sum(dim=0))

    def _unit(self, direction: str | None) -> Tensor:
        """(d,) signed move of a direction for one degree; of the best where None."""
        if direction is None:
            found = self._kept()
            if not found:
                raise ValueError("no direction is ranked yet: fit the engine first")
            direction = found[0].name
        entry = self.direction(direction)
        return entry.sign * self.basis[entry.index]

    def direction(self, name: str) -> NamedDirection:
        """The ranked direction called `name`. Raises ValueError that lists the kept ones."""
        for entry in self._directions:
            if entry.name == name:
                return entry
        kept = ", ".join(entry.name for entry in self._kept())
        raise ValueError(f"no direction {name!r}; kept are {kept or 'none'}")

    def directions(self) -> tuple[NamedDirection, ...]:
        """The pairs measured on every image, best first: all, unless `prerank`, `halving` or `race` spared some."""
        return self._directions

    def _kept(self) -> list[NamedDirection]:
        return [entry for entry in self._directions if entry.kept]

    def _remember(self, small: Tensor, codes: Tensor, target: int, flips: Tensor) -> None:
        kept = torch.tensor([2 * entry.index + (entry.sign < 0) for entry in self._kept()], device=flips.device)
        hits = flips.flatten(1)[:, kept]
        first = torch.where(hits.any(dim=1), hits.int().argmax(dim=1), -1).tolist()
        rows = zip(small, codes, first, strict=True)
        self._known = {(target, digest(image)): (code, place) for image, code, place in rows}

    @torch.no_grad()
    def explain(
        self, images: Tensor, target: int, *, rendering: Rendering = "detail transfer", progress: Progress = silent
    ) -> Explanation:
        """Phase 2 of Algorithm 1: walk the kept pairs in order of score; the first that flips an image explains it.

        An image that no kept pair flips comes back moved along the best pair, unflipped and marked so by
        `direction` None. A flip is judged on what is shown: with detail transfer on the transferred image. With
        rendering "plain", images that `fit` searched are not walked again: phase 1 knows which pair flips them.
        """
        started = time.perf_counter()
        small = resize(images, self.size)
        codes, known = self._recall(small, target)
        base = self._draw_all(codes, torch.zeros(len(codes), self.basis.shape[1], device=codes.device))
        if rendering != "plain":
            known = [None] * len(known)
        look = self._look(codes, images, base, target, rendering)
        place, plain = self._phase_2(codes, known, look, progress)
        names = self._names(place)
        strength = torch.where(place >= 0, self.config.degree, float("nan"))
        tried = torch.where(place >= 0, place + 1, len(self._kept()))
        return self._explanation(images, base, plain, target, rendering, names, strength, tried, started)

    @torch.no_grad()
    def winners(
        self, images: Tensor, target: int, progress: Progress = silent
    ) -> tuple[tuple[str | None, ...], Tensor]:
        """What Algorithm 1 returns and no more: the direction that explains each image, None where none does, and the
        (n, channels, *size) pictures of G that `explain` would give in plain rendering."""
        small = resize(images, self.size)
        codes, known = self._recall(small, target)
        place, plain = self._phase_2(codes, known, self._look(codes, images, codes, target, "plain"), progress)
        return self._names(place), plain

    def _names(self, place: Tensor) -> tuple[str | None, ...]:
        kept = self._kept()
        return tuple(kept[i].name if i >= 0 else None for i in place.tolist())

    def _phase_2(self, codes: Tensor, known: list[int | None], look: Look, progress: Progress) -> tuple[Tensor, Tensor]:
        """(n,) place of the first kept pair that flips each image, -1 where none does, and the pictures."""
        kept = self._kept()
        moves = torch.stack([self._unit(entry.name) for entry in kept]) * self.config.degree
        every = torch.arange(len(codes))
        first = torch.tensor([-1 if place is None else place for place in known], dtype=torch.long)
        fresh = torch.tensor([place is None for place in known], dtype=torch.bool)
        plain = torch.empty(len(codes), self.classifier.channels, *self.size, device=codes.device, dtype=codes.dtype)
        for rows in every[~fresh].split(self.batch):
            if len(rows):
                plain[rows] = self._draw(codes[rows], moves[first[rows].clamp(min=0)])
        for place, rows, pictures in walk(look, every[fresh], moves, self.batch):
            plain[rows], first[rows] = pictures, place
            message = f"{int((first >= 0).sum())} of {len(codes)} images explained"
            progress((place + 1) / len(kept) if place >= 0 else 1.0, message)
        return first, plain

    def _draw_all(self, codes: Tensor, shift: Tensor) -> Tensor:
        parts = zip(codes.split(self.batch), shift.split(self.batch), strict=True)
        return torch.cat([self._draw(c, s) for c, s in parts])

    def _look(self, codes: Tensor, images: Tensor, base: Tensor, target: int, rendering: Rendering) -> Look:
        """How phase 2 sees images: numbers of images and moves to pictures and flips of what is shown."""

        def look(rows: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
            plain = self._draw(codes[rows], shift)
            shown = self.transfer(images[rows], base[rows], plain, rendering)
            return plain, is_class(self._logits(shown), target)

        return look

    @torch.no_grad()
    def least_degrees(
        self,
        images: Tensor,
        target: int,
        directions: Sequence[str],
        *,
        rendering: Rendering = "detail transfer",
        steps: int = 12,
        progress: Progress = silent,
    ) -> Tensor:
        """(n, len(directions)) smallest degree in (0, `config.degree`] at which the shown image flips, nan where
        `degree` does not.

        Bisection over all (image, direction) pairs in full batches; assumes that the probability crosses 0.5 once,
        which a curve on the page lets people check. Resolution: degree / 2^steps.
        """
        codes, _ = self._recall(resize(images, self.size), target)
        base = self._draw_all(codes, torch.zeros(len(codes), self.basis.shape[1], device=codes.device))
        units = torch.stack([self._unit(name) for name in directions])
        look = self._look(codes, images, base, target, rendering)
        row, column = torch.cartesian_prod(torch.arange(len(images)), torch.arange(len(units))).to(units.device).T
        found = torch.empty(0)
        for step, lengths in enumerate(least(look, row, units[column], self.config.degree, steps, self.batch)):
            found = lengths
            progress(step / max(steps, 1), f"least degree of {len(row)} moves, step {step} of {steps}")
        return found.view(len(images), len(units)).cpu()

    def least_degree(
        self, images: Tensor, target: int, direction: str, *, rendering: Rendering = "detail transfer", steps: int = 12
    ) -> Tensor:
        """(n,) `least_degrees` along one direction."""
        return self.least_degrees(images, target, [direction], rendering=rendering, steps=steps)[:, 0]

    def save(self, folder: Path) -> None:
        write_engine(folder, {"basis": self.basis}, self.config, self._directions, self.default_degree)

    @classmethod
    def load(cls, folder: Path, classifier: Classifier, *, generator: nn.Module | None = None) -> Self:
        if not isinstance(generator, StylEx):
            raise ValueError("EigenFind needs the StylEx generator that it was fitted with")
        stored = read_engine(folder)
        engine = cls(classifier, generator, EigenFindConfig(**stored.config), stored.tensors["basis"])
        engine._directions = stored.directions
        engine.default_degree = stored.degree or cls.default_degree
        return engine
