"""EigenFind (seed 000, Algorithm 1): which eigenvectors of the generator change the classifier's mind."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier, is_class, resize, target_margin
from cfcore.generators.stylex import StylEx

from .base import Engine, Explanation, NamedDirection, Progress, Rendering, silent

BATCH = 16  # the fastest on a CPU (64 is slower); on a GPU more would fit, and less matters


@dataclass(frozen=True)
class EigenFindConfig:
    """Settings of the search.

    Attributes:
        basis: "sefa" (what the authors ran): right singular vectors of the stacked style-affine weights, unit length,
            w + d v in every layer. "style": PCA of the StyleSpace activations over encoded images, edit of the styles.
        scan: eigenvectors scanned, by falling singular value: 8 is Algorithm 1 to the letter, 20 what the authors ran.
        k: (eigenvector, sign) pairs kept.
        degree: d, the distance moved along the unit eigenvector.
        consistent: drop an eigenvector whose two signs both raise the mean margin.
    """

    basis: Literal["sefa", "style"] = "sefa"
    scan: int = 20
    k: int = 8
    degree: float = 10.0
    consistent: bool = False

    def __post_init__(self) -> None:
        if self.basis not in ("sefa", "style"):
            raise ValueError(f'basis must be "sefa" or "style", not {self.basis!r}')
        if self.scan < 1 or self.k < 1:
            raise ValueError(f"scan and k must be at least 1, not {self.scan} and {self.k}")
        if not self.degree > 0:
            raise ValueError(f"degree must be positive, not {self.degree}: both signs are searched anyway")


class EigenFind(Engine):
    """StylEx with EigenFind.

    The condition of G is C's class of the source image throughout. A direction is named by its number in the order of
    singular values, from 1 as in the paper's Table 2, and its sign: "v17 +".
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
        self.size = (generator.config.size,) * 2
        self.basis: Tensor
        self.register_buffer("basis", basis)
        self._directions: tuple[NamedDirection, ...] = ()

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
        """Phase 1 of Algorithm 1: rank all (eigenvector, sign) pairs on `images`.

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
        if is_class(cls._classify(classifier, small), target).any():
            raise ValueError(
                f"some images are {classifier.class_names[target]!r} for the classifier already: "
                "search on images that it gives another class"
            )
        engine = cls(classifier, generator, config, _basis(generator, classifier, small, config))
        codes = torch.cat([engine.encode(chunk, target) for chunk in small.split(BATCH)])
        changes, flips = engine._search(codes, small, target, progress)
        engine._directions = _ranked(changes, flips, config)
        return engine

    @staticmethod
    def _classify(classifier: Classifier, images: Tensor) -> Tensor:
        return torch.cat([classifier.logits(chunk) for chunk in images.split(BATCH)])

    def encode(self, images: Tensor, target: int) -> Tensor:
        """(n, width + 1): w and, as the last column, C's class of the image, which conditions G."""
        source = self.classifier.logits(images).argmax(dim=1, keepdim=True)
        return torch.cat([self.generator.encode(images), source.to(images)], dim=1)

    def _draw(self, codes: Tensor, shift: Tensor) -> Tensor:
        """Draw (n, width + 1) codes moved by (n, d) shifts: in w ("sefa") or in the StyleSpace ("style")."""
        w, label = codes[:, :-1], codes[:, -1].long()
        if self.config.basis == "sefa":
            return self.generator.decode(w + shift, label)
        return self.generator.decode_styles(self.generator.styles(w, label) + shift, w, label)

    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        if direction is None:
            found = self._kept()
            if not found:
                raise ValueError("no direction is ranked yet: fit the engine first")
            direction = found[0].name
        entry = self.direction(direction)
        return self._draw(codes, degrees[:, None] * entry.sign * self.basis[entry.index])

    def direction(self, name: str) -> NamedDirection:
        """The ranked direction called `name`. Raises ValueError that lists the kept ones."""
        for entry in self._directions:
            if entry.name == name:
                return entry
        kept = ", ".join(entry.name for entry in self._kept())
        raise ValueError(f"no direction {name!r}; kept are {kept or 'none'}")

    def directions(self) -> tuple[NamedDirection, ...]:
        return self._directions

    def _kept(self) -> list[NamedDirection]:
        return [entry for entry in self._directions if entry.kept]

    def _search(self, codes: Tensor, images: Tensor, target: int, progress: Progress) -> tuple[Tensor, Tensor]:
        """Margins' changes and flips, each (n, scan, 2), in full batches over images x eigenvectors x signs."""
        n, scan = len(codes), len(self.basis)
        base = self._margins_of(codes, torch.zeros(n, self.basis.shape[1], device=codes.device), target)
        signs = torch.tensor([1.0, -1.0], device=codes.device)
        jobs = torch.cartesian_prod(torch.arange(scan), torch.arange(2), torch.arange(n)).to(codes.device)
        changes = torch.empty(n, scan, 2, device=codes.device)
        flips = torch.empty(n, scan, 2, dtype=torch.bool, device=codes.device)
        done = 0
        for chunk in jobs.split(BATCH):
            vector, sign, image = chunk.T
            shift = self.config.degree * signs[sign][:, None] * self.basis[vector]
            logits = self.classifier.logits(self._draw(codes[image], shift))
            changes[image, vector, sign] = target_margin(logits, target) - base[image]
            flips[image, vector, sign] = is_class(logits, target)
            done += len(chunk)
            progress(done / len(jobs), f"searched {done} of {len(jobs)} moves")
        return changes, flips

    def _margins_of(self, codes: Tensor, shift: Tensor, target: int) -> Tensor:
        parts = zip(codes.split(BATCH), shift.split(BATCH), strict=True)
        return torch.cat([target_margin(self.classifier.logits(self._draw(c, s)), target) for c, s in parts])

    @torch.no_grad()
    def explain(
        self, images: Tensor, target: int, *, rendering: Rendering = "detail transfer", progress: Progress = silent
    ) -> Explanation:
        """Phase 2 of Algorithm 1: walk the kept pairs in order of score; the first that flips an image explains it.

        An image that no kept pair flips comes back moved along the best pair, unflipped and marked so by
        `direction` None. A flip is judged on what is shown: with detail transfer on the transferred image.
        """
        started = time.perf_counter()
        small = resize(images, self.size)
        codes = torch.cat([self.encode(chunk, target) for chunk in small.split(BATCH)])
        base = self._at(codes, small, None, 0.0, target)
        kept = self._kept()
        open_rows = torch.arange(len(images))
        plain = base.clone()
        names: list[str | None] = [None] * len(images)
        tried = torch.zeros(len(images), dtype=torch.long)
        for step, entry in enumerate(kept):
            if len(open_rows) == 0:
                break
            moved = self._at(codes[open_rows], small[open_rows], entry.name, self.config.degree, target)
            shown = (
                self.transfer(images[open_rows], base[open_rows], moved) if rendering == "detail transfer" else moved
            )
            flipped = is_class(self._logits(shown), target).cpu()
            tried[open_rows] += 1
            take = flipped if step else torch.ones_like(flipped)
            plain[open_rows[take]] = moved[take.to(moved.device)]
            for row in open_rows[flipped].tolist():
                names[row] = entry.name
            open_rows = open_rows[~flipped]
            progress((step + 1) / len(kept), f"{len(images) - len(open_rows)} of {len(images)} images explained")
        strength = torch.tensor([self.config.degree if name else float("nan") for name in names])
        return self._explanation(images, base, plain, target, rendering, tuple(names), strength, tried, started)

    def _at(self, codes: Tensor, images: Tensor, direction: str | None, degree: float, target: int) -> Tensor:
        parts = zip(codes.split(BATCH), images.split(BATCH), strict=True)
        return torch.cat(
            [self._render(c, i, direction, torch.full((len(c),), degree, device=c.device), target) for c, i in parts]
        )

    @torch.no_grad()
    def least_degree(
        self, images: Tensor, target: int, direction: str, *, rendering: Rendering = "detail transfer", steps: int = 12
    ) -> Tensor:
        """(n,) smallest degree in (0, `config.degree`] at which the shown image flips, nan where `degree` does not.

        Bisection over all images in one batch; assumes that the probability crosses 0.5 once, which a curve on the
        page lets people check. Resolution: degree / 2^steps.
        """
        small = resize(images, self.size)
        codes = torch.cat([self.encode(chunk, target) for chunk in small.split(BATCH)])
        base = self._at(codes, small, direction, 0.0, target)

        def flips(degrees: Tensor) -> Tensor:
            rows = zip(codes.split(BATCH), small.split(BATCH), degrees.split(BATCH), strict=True)
            moved = torch.cat([self._render(c, i, direction, d, target) for c, i, d in rows])
            shown = self.transfer(images, base, moved) if rendering == "detail transfer" else moved
            return is_class(self._logits(shown), target)

        high = torch.full((len(images),), self.config.degree, device=small.device)
        low = torch.zeros_like(high)
        reachable = flips(high)
        for _ in range(steps):
            middle = (low + high) / 2
            there = flips(middle)
            high, low = torch.where(there, middle, high), torch.where(there, low, middle)
        return torch.where(reachable, high, torch.full_like(high, float("nan"))).cpu()

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"basis": self.basis.contiguous().cpu()}, str(folder / "basis.safetensors"))
        content = {"config": asdict(self.config), "directions": [asdict(entry) for entry in self._directions]}
        (folder / "engine.json").write_text(json.dumps(content, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path, classifier: Classifier, *, generator: nn.Module | None = None) -> Self:
        if not isinstance(generator, StylEx):
            raise ValueError("EigenFind needs the StylEx generator that it was fitted with")
        content: dict[str, Any] = json.loads((folder / "engine.json").read_text())
        basis = load_file(str(folder / "basis.safetensors"))["basis"]
        engine = cls(classifier, generator, EigenFindConfig(**content["config"]), basis)
        engine._directions = tuple(NamedDirection(**entry) for entry in content["directions"])
        return engine


def _basis(generator: StylEx, classifier: Classifier, images: Tensor, config: EigenFindConfig) -> Tensor:
    """(scan, d) unit rows: eigenvectors by falling singular value, signed so that the largest entry is positive."""
    if config.basis == "sefa":
        matrix = generator.style_weights()
    else:
        rows = []
        for chunk in images.split(BATCH):
            label = classifier.logits(chunk).argmax(dim=1)
            rows.append(generator.styles(generator.encode(chunk), label))
        styles = torch.cat(rows)
        matrix = styles - styles.mean(dim=0)
    rank = min(matrix.shape)
    if config.scan > rank:
        raise ValueError(f"scan = {config.scan} eigenvectors, but basis {config.basis!r} has only {rank}: lower scan")
    vectors = torch.linalg.svd(matrix.double(), full_matrices=False).Vh[: config.scan].to(matrix.dtype)
    peak = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True))
    return vectors * peak.sign()


def _ranked(changes: Tensor, flips: Tensor, config: EigenFindConfig) -> tuple[NamedDirection, ...]:
    """All (eigenvector, sign) pairs, highest mean change first; ties go to the lower eigenvector, then to +."""
    mean, explained = changes.mean(dim=0), flips.float().mean(dim=0)
    pairs = [(index, side) for index in range(mean.shape[0]) for side in range(2)]
    pairs.sort(key=lambda pair: -mean[pair].item())
    allowed = [
        pair
        for pair in pairs
        if not (config.consistent and mean[pair[0], 0].item() > 0 and mean[pair[0], 1].item() > 0)
    ]
    best = set(allowed[: config.k])
    return tuple(
        NamedDirection(
            name=f"v{index + 1} {'+-'[side]}",
            index=index,
            sign=1 - 2 * side,
            mean_change=mean[index, side].item(),
            explained=explained[index, side].item(),
            kept=(index, side) in best,
        )
        for index, side in pairs
    )
