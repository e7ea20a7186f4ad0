"""medXGAN: an image's anatomy with its pathology taken away, or with one drawn for it."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier, is_class, resize, target_margin
from cfcore.generators.averaged import check_pair
from cfcore.generators.medxgan import MedXGAN
from cfcore.generators.medxgan.inversion import POSITIVE, Search
from cfcore.rendering import Rendering

from ..base import Engine, Explanation, NamedDirection, Progress, silent
from ..stored import read_engine, write_engine
from .config import MedXGANConfig
from .latents import latents_of

NEGATIVE = "negative"
PARTS = 10  # of the traversal whose changes the attribution sums up


class MedXGANEngine(Engine):
    """G(z1, z2 + degree (z2' - z2)): towards the negative class z2' = 0 (the negative realisation at degree 1), towards
    the positive class z2' is one of several draws of N(0, I), the positive realisations (seed 001, METHODS 2).

    A code is (z1, z2) of the image, found once by inversion and remembered for every engine of the process that would
    search in the same way.
    """

    name = "medxgan"
    title = "medXGAN"
    paper = "seed 001: Dravid et al., medXGAN: visual explanations for medical classifiers, CVPR Workshops 2022"
    generator_kind = MedXGAN.kind
    Config = MedXGANConfig
    degree_range = (0.0, 1.0)
    default_degree = 1.0

    def __init__(self, classifier: Classifier, generator: MedXGAN, config: MedXGANConfig) -> None:
        super().__init__()
        if len(classifier.class_names) != 2:
            raise ValueError(
                f"medXGAN tells a positive class from a negative one, the classifier has "
                f"{len(classifier.class_names)} classes: choose a classifier with two"
            )
        self.classifier, self.generator, self.config = classifier, generator, config
        check_pair(generator.config.size, 1, classifier)
        self.size = (generator.config.size,) * 2
        self._search = Search(
            config.steps,
            config.rate,
            config.patience,
            restarts=config.restarts,
            warm=config.warm,
            keep_negative=config.keep_negative,
            seed=config.seed,
        )
        self._directions: tuple[NamedDirection, ...] = ()
        self._latents = latents_of(generator, classifier, self._search)
        drawn = torch.Generator().manual_seed(config.seed)
        self.pathologies: Tensor
        self.register_buffer(
            "pathologies", torch.randn(config.realisations, generator.config.pathology, generator=drawn)
        )

    @classmethod
    @torch.no_grad()
    def fit(
        cls,
        classifier: Classifier,
        images: Tensor,
        target: int,
        config: MedXGANConfig,
        progress: Progress = silent,
        *,
        generator: nn.Module | None = None,
    ) -> Self:
        """Invert `images` and rank the realisations by the mean change of the target margin (logits) against the
        images' own reconstructions.

        Raises:
            ValueError: no medXGAN generator, no image, or an image that C already calls `target`.
        """
        if not isinstance(generator, MedXGAN):
            raise ValueError("medXGAN needs a trained medXGAN generator: choose or train one for this classifier")
        if len(images) == 0:
            raise ValueError("medXGAN needs at least one image to rank the realisations on")
        engine = cls(classifier, generator, config)
        small = resize(images, engine.size)
        if is_class(engine._logits(small), target).any():
            raise ValueError(
                f"some images are {classifier.class_names[target]!r} for the classifier already: "
                "rank on images that it gives another class"
            )
        codes = engine._found(small, progress)
        names = engine._names(target)
        base = target_margin(engine._judged(codes, small, None, 0.0, target), target)
        ranked = []
        for index, name in enumerate(names):
            logits = engine._judged(codes, small, name, 1.0, target)
            change = (target_margin(logits, target) - base).mean().item()
            flips = is_class(logits, target).float().mean().item()
            ranked.append(NamedDirection(name, index, -1 if name == NEGATIVE else 1, change, flips, kept=True))
        engine._directions = tuple(sorted(ranked, key=lambda entry: (-entry.mean_change, entry.index)))
        return engine

    def _names(self, target: int) -> list[str]:
        if target != POSITIVE:
            return [NEGATIVE]
        return [f"positive {i + 1}" for i in range(len(self.pathologies))]

    def encode(self, images: Tensor, target: int) -> Tensor:
        """(n, anatomy + pathology): (z1, z2) of each image, as its inversion found them."""
        return self._found(images, silent)

    def _found(self, images: Tensor, progress: Progress) -> Tensor:
        return self._latents.of(self.generator, self.classifier, images, self._search, progress)

    def latents(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """z1 (n, anatomy) and z2 (n, pathology) of codes."""
        z1, z2 = codes.split([self.generator.config.anatomy, self.generator.config.pathology], dim=1)
        return z1, z2

    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        z1, z2 = self.latents(codes)
        towards = self._pathology(direction, target)
        return self.generator.decode(z1, z2 + degrees[:, None] * (towards - z2))

    def _pathology(self, direction: str | None, target: int) -> Tensor:
        """(pathology,) the z2 that a direction leads to; the best ranked where None."""
        names = self._names(target)
        if direction is None:
            direction = next((entry.name for entry in self._directions if entry.name in names), names[0])
        if direction not in names:
            raise ValueError(f"no direction {direction!r} towards this class; there are {', '.join(names)}")
        if direction == NEGATIVE:
            return torch.zeros_like(self.pathologies[0])
        return self.pathologies[names.index(direction)]

    def _judged(self, codes: Tensor, images: Tensor, name: str | None, degree: float, target: int) -> Tensor:
        degrees = torch.full((len(codes),), degree, device=codes.device)
        return self._logits(self._render(codes, images, name, degrees, target))

    def directions(self) -> tuple[NamedDirection, ...]:
        """The realisations that `fit` ranked: one towards the negative class, several towards the positive one."""
        return self._directions

    def describe(self, direction: str) -> str:
        if direction == NEGATIVE:
            return "the negative realisation: z2 taken to 0, where the negative class is drawn"
        return "a positive realisation: z2 taken to a draw of N(0, I), where the positive class is drawn"

    @torch.no_grad()
    def attribution(self, codes: Tensor, images: Tensor, target: int) -> Tensor:
        """(n, 1, *size): the change accumulated along the traversal to the best realisation, sum over its ten parts of
        |G(z1, z2_i+1) - G(z1, z2_i)|; never negative."""
        zeros = torch.zeros(len(codes), device=codes.device)
        drawn = [self._render(codes, images, None, zeros + part / PARTS, target) for part in range(PARTS + 1)]
        changes = [(after - before).abs() for before, after in itertools.pairwise(drawn)]
        return torch.stack(changes).sum(dim=0).mean(dim=1, keepdim=True)

    @torch.no_grad()
    def explain(
        self, images: Tensor, target: int, *, rendering: Rendering = "plain", progress: Progress = silent
    ) -> Explanation:
        """Each image under the first ranked realisation that flips it at degree 1, judged on what is shown; under the
        best one, with `direction` None, where none does."""
        started = time.perf_counter()
        small = resize(images, self.size)
        codes = self._found(small, progress)
        zeros = torch.zeros(len(codes), device=codes.device)
        base = self._render(codes, small, None, zeros, target)
        plain = self._render(codes, small, None, zeros + 1, target).clone(memory_format=torch.contiguous_format)
        names = [entry.name for entry in self._directions] or self._names(target)
        chosen: list[str | None] = [None] * len(images)
        tried = torch.full((len(images),), len(names), dtype=torch.long)
        left = torch.arange(len(images))
        for place, name in enumerate(names):
            if not len(left):
                break
            drawn = self._render(codes[left], small[left], name, zeros[left] + 1, target)
            shown = self.transfer(images[left], base[left], drawn, rendering)
            flips = is_class(self._logits(shown), target).cpu()
            for row in left[flips].tolist():
                chosen[row] = name
            took = left[flips]
            plain[took], tried[took] = drawn[flips.to(drawn.device)], place + 1
            left = left[~flips]
        strength = torch.tensor([float("nan") if name is None else 1.0 for name in chosen])
        return self._explanation(images, base, plain, target, rendering, tuple(chosen), strength, tried, started)

    def save(self, folder: Path) -> None:
        write_engine(folder, {"pathologies": self.pathologies}, self.config, self._directions, self.default_degree)

    @classmethod
    def load(cls, folder: Path, classifier: Classifier, *, generator: nn.Module | None = None) -> Self:
        if not isinstance(generator, MedXGAN):
            raise ValueError("medXGAN needs the medXGAN generator that it was fitted with")
        stored = read_engine(folder)
        engine = cls(classifier, generator, MedXGANConfig(**stored.config))
        engine.pathologies.copy_(stored.tensors["pathologies"])
        engine._directions = stored.directions
        engine.default_degree = stored.degree or cls.default_degree
        return engine
