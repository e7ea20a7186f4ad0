"""The one face of every counterfactual method."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier, is_class, resize, target_margin
from cfcore.rendering import DEFAULT_RENDERING, Rendering, keeps_source

from .transfer import additive, keep_mask, warped

# Called with the share done in [0, 1] and a short message; may raise Cancelled.
Progress = Callable[[float, str], None]

MOST_WARPED = 512  # px a side on which a probability curve of warped transfer is computed
WARPED_AT_ONCE = 8  # images at once: a picture of 2,000 px takes some 20 times its own memory


class Cancelled(Exception):
    """Raised out of a progress call when somebody asked for the work to stop."""


def silent(share: float, message: str) -> None:
    """A progress that nobody watches."""


@dataclass(frozen=True)
class NamedDirection:
    """A direction that the method ranks and a reader study can use as an arm.

    Attributes:
        name: like "v17 +" (eigenvector and sign).
        index: number of the eigenvector (or coordinate), sign: +1 or -1.
        mean_change: mean change of the target margin (logits) over the images searched, at the search degree.
        explained: share of images whose class flips to the target under this direction alone.
        kept: among the `k` best.
    """

    name: str
    index: int
    sign: int
    mean_change: float
    explained: float
    kept: bool


@dataclass(frozen=True)
class Explanation:
    """Counterfactuals of n images. Plain tensors and numbers on the CPU.

    Attributes:
        source, reconstruction, counterfactual: (n, channels, *spatial) float32 in [0, 1]; the source
            at its own resolution, so too the counterfactual where the rendering keeps the source (both transfers), else
            at the network's.
        p_source, p_reconstruction, p_counterfactual: (n,) probability of the target class of C on each of the three,
            on exactly the counterfactual that is shown.
        flipped: (n,) bool, the argmax of C(counterfactual) is the target.
        flipped_plain: (n,) bool, the same for the network's own rendering without any transfer.
        direction: per image the name of the direction used, None where the method has none or none was found.
        strength: (n,) degree used; nan where no direction was found.
        tried: (n,) number of directions tried until the flip.
        seconds: wall time of the call.
    """

    source: Tensor
    reconstruction: Tensor
    counterfactual: Tensor
    p_source: Tensor
    p_reconstruction: Tensor
    p_counterfactual: Tensor
    flipped: Tensor
    flipped_plain: Tensor
    direction: tuple[str | None, ...]
    strength: Tensor
    tried: Tensor
    seconds: float


class Engine(nn.Module, ABC):
    """A counterfactual method, fitted to one classifier.

    A subclass owes the class attributes, `fit`, `_render` and the pair `settings` / `restore`; `directions` where the
    method has named ones. Batching, the three probabilities, the flip, the paths and detail transfer live here.
    Every noise input is fixed: the same call twice gives the same bytes.

    Attributes:
        name: key of the registry, e.g. "eigenfind". title: what people see. paper: the reference.
        generator_kind: kind of trained generator that `fit` needs, or None.
        Config: a frozen dataclass whose defaults are the paper's.
        degree_range: slider range of the strength; default_degree: where it starts, for one fitted engine the degree
            that `measure.suggest_degree` found for its generator.
        signed_attribution: `attribution` has negative values too, which speak for the target.
        search_seconds: time that `fit` took over all attempts, where it was resumed from partial results; else 0.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    generator_kind: ClassVar[str | None] = None
    Config: ClassVar[type]
    degree_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    default_degree: float = 1.0
    signed_attribution: ClassVar[bool] = False

    classifier: Classifier
    size: tuple[int, ...]
    search_seconds: float = 0.0

    @classmethod
    @abstractmethod
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
        """Fit to (n, channels, *spatial) images in [0, 1] that `classifier` does not call `target`; a method without
        training returns at once."""

    @classmethod
    def fit_in(
        cls,
        scratch: Path,
        classifier: Classifier,
        images: Tensor,
        target: int,
        config: Any,
        progress: Progress = silent,
        *,
        generator: nn.Module | None = None,
        training: Callable[[], Tensor],
    ) -> Self:
        """`fit` for a caller that may be killed and has images of every class at hand.

        A method whose fit takes long stores partial results in `scratch` and finds there those of an earlier attempt;
        one that needs the range of the training data calls `training` for (t, channels, *spatial) images in [0, 1].
        Others need not know: this calls `fit`.
        """
        return cls.fit(classifier, images, target, config, progress, generator=generator)

    @abstractmethod
    def encode(self, images: Tensor, target: int) -> Tensor:
        """(n, d) codes of images at the network's size."""

    @abstractmethod
    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        """(n, channels, *size): codes moved by (n,) degrees along `direction` and drawn, in [0, 1]. Degree 0 is the
        reconstruction."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write safetensors plus JSON into `folder`; never a pickle."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, classifier: Classifier, *, generator: nn.Module | None = None) -> Self:
        """Read back what `save` wrote."""

    def directions(self) -> tuple[NamedDirection, ...]:
        """The ranked directions, best first; empty for a method without named directions."""
        return ()

    def joined(self, direction: str, images: Tensor, target: int) -> NamedDirection | None:
        """A direction that `explain` put together from ranked ones, from now on among `directions`, its effect measured
        on the (n, channels, *spatial) images of the search. None where the method puts none together."""
        return None

    def describe(self, direction: str) -> str:
        """Where in the network a direction acts, in words; empty where its name says all there is."""
        return ""

    @abstractmethod
    def explain(
        self,
        images: Tensor,
        target: int,
        *,
        rendering: Rendering = DEFAULT_RENDERING,
        progress: Progress = silent,
    ) -> Explanation:
        """The method's own counterfactual of each image (the first kept direction that flips it, at the search degree).

        Args:
            images: (n, channels, *spatial) float32 in [0, 1] at any resolution, square where the network's is.
            target: index of the class to move to.
        """

    @torch.no_grad()
    def move(
        self,
        images: Tensor,
        target: int,
        *,
        direction: str | None = None,
        degree: float,
        rendering: Rendering = DEFAULT_RENDERING,
        batch: int = 16,
    ) -> Explanation:
        """Move every image along one direction by a fixed degree, whether it flips or not (Table 2 of the paper)."""
        started = time.perf_counter()
        small = resize(images, self.size)
        parts = []
        for chunk in small.split(batch):
            codes = self.encode(chunk, target)
            zeros = torch.zeros(len(chunk), device=chunk.device)
            parts.append(
                (
                    self._render(codes, chunk, direction, zeros, target),
                    self._render(codes, chunk, direction, zeros + degree, target),
                )
            )
        reconstruction, plain = (torch.cat(column) for column in zip(*parts, strict=True))
        strength = torch.full((len(images),), float(degree))
        names = (direction,) * len(images)
        tried = torch.ones(len(images), dtype=torch.long)
        return self._explanation(images, reconstruction, plain, target, rendering, names, strength, tried, started)

    @torch.no_grad()
    def draw(self, codes: Tensor, images: Tensor, moves: Mapping[str | None, Tensor], target: int) -> Tensor:
        """(n, channels, *size): (n, ...) codes moved along several directions at once, each by its own (n,) degrees.

        Without moves: the reconstruction. The codes come from `encode`, so that a caller may keep them between calls.
        """
        if len(moves) > 1:
            return self._render_mix(codes, images, moves, target)
        direction, degrees = next(iter(moves.items()), (None, torch.zeros(len(codes), device=images.device)))
        return self._render(codes, images, direction, degrees, target)

    @torch.no_grad()
    def attribution(self, codes: Tensor, images: Tensor, target: int) -> Tensor:
        """(n, 1, *size) float32: how much every pixel matters for what C thinks now against `target`; larger matters
        more. Where the method has a sign (`signed_attribution`) it is kept: negative pixels speak for `target`.

        This one is the difference map: the size of the change from the reconstruction to the picture at the default
        degree along the best direction, mean over channels; never negative. A method with a map of its own overrides.

        Args:
            codes: from `encode`. images: (n, channels, *size) in [0, 1], at the network's size.
        """
        degrees = torch.full((len(codes),), float(self.default_degree), device=images.device)
        before = self._render(codes, images, None, torch.zeros_like(degrees), target)
        after = self._render(codes, images, None, degrees, target)
        return (after - before).abs().mean(dim=1, keepdim=True)

    def _render_mix(self, codes: Tensor, images: Tensor, moves: Mapping[str | None, Tensor], target: int) -> Tensor:
        """Several moves in one picture: the sum of their changes, clamped to [0, 1]. A method whose moves add up in
        its latent space says so by overriding this."""
        zeros = torch.zeros(len(codes), device=images.device)
        base = self._render(codes, images, None, zeros, target)
        changes = [self._render(codes, images, name, degrees, target) - base for name, degrees in moves.items()]
        return (base + torch.stack(changes).sum(dim=0)).clamp(0, 1)

    @torch.no_grad()
    def path(
        self,
        images: Tensor,
        target: int,
        degrees: Tensor,
        *,
        direction: str | None = None,
        rendering: Rendering = DEFAULT_RENDERING,
    ) -> Iterator[tuple[float, Tensor, Tensor]]:
        """Yield (degree, frames (n, channels, *spatial), target probabilities (n,)) along one direction."""
        small = resize(images, self.size)
        codes = self.encode(small, target)
        zeros = torch.zeros(len(small), device=small.device)
        base = self._render(codes, small, direction, zeros, target)
        keep = keep_mask(images) if rendering == "warped transfer" else None
        for degree in degrees.tolist():
            plain = self._render(codes, small, direction, zeros + degree, target)
            shown = self.transfer(images, base, plain, rendering, keep=keep)
            yield degree, shown, self.probability(shown, target)

    @torch.no_grad()
    def probabilities_along(
        self,
        images: Tensor,
        target: int,
        degrees: Tensor,
        *,
        direction: str | None = None,
        rendering: Rendering = DEFAULT_RENDERING,
    ) -> Tensor:
        """(n, len(degrees)) target probabilities of what `move` shows, all degrees of one image in one batch.

        Detail transfer is drawn at the classifier's size only (up- then down-sampling by an integer factor is close to
        the identity), warped transfer at the source's own size up to `MOST_WARPED` pixels a side.
        """
        small = resize(images, self.size)
        codes = self.encode(small, target)
        rows = []
        for i in range(len(small)):
            n = len(degrees)
            code, image = (
                codes[i : i + 1].expand(n, *codes.shape[1:]),
                small[i : i + 1].expand(n, *small.shape[1:]),
            )
            shown = self._render(code, image, direction, degrees.to(small), target)
            if keeps_source(rendering):
                base = self._render(code[:1], image[:1], direction, torch.zeros(1, device=small.device), target)
                source = shrunk(images[i : i + 1]) if rendering == "warped transfer" else image[:1]
                shown = self.transfer(source, base, shown, rendering)
            rows.append(self.probability(shown, target))
        return torch.stack(rows)

    def probability(self, images: Tensor, target: int) -> Tensor:
        """(n,) probability of `target` that C gives to images of any resolution."""
        return target_margin(self._logits(images), target).sigmoid()

    @torch.no_grad()
    def judge(self, images: Tensor) -> Tensor:
        """(n, classes) logits that C gives to images of any resolution, as every flip and probability here has them."""
        return self._logits(images)

    def transfer(
        self,
        source: Tensor,
        reconstruction: Tensor,
        counterfactual: Tensor,
        rendering: Rendering = DEFAULT_RENDERING,
        *,
        keep: Tensor | None = None,
    ) -> Tensor:
        """What is shown for G(w) and G(w + d v): see `cfcore.engines.transfer` (docs/methods/detail-transfer.md).

        Args:
            source: (n, channels, *spatial); reconstruction, counterfactual: (n, channels, *size); all in [0, 1]. One
                source and reconstruction may stand for n counterfactuals.
            keep: (n, 1, *spatial) bool, for warped transfer: what stays as it is in the source; None: found.

        Raises:
            ValueError: unknown rendering, or warped transfer of what is not 2D.
        """
        if not keeps_source(rendering):
            return counterfactual
        if rendering != "warped transfer":
            return additive(source, reconstruction, counterfactual)
        keep = keep_mask(source) if keep is None else keep
        n = len(counterfactual)
        rows = [t.expand(n, *t.shape[1:]) for t in (source, reconstruction, counterfactual, keep)]
        return torch.cat([warped(*chunk) for chunk in zip(*(t.split(WARPED_AT_ONCE) for t in rows), strict=True)])

    def _logits(self, images: Tensor, batch: int = 16) -> Tensor:
        small = resize(images, self.classifier.size)
        return torch.cat([self.classifier.logits(chunk) for chunk in small.split(batch)])

    def _explanation(
        self,
        images: Tensor,
        reconstruction: Tensor,
        plain: Tensor,
        target: int,
        rendering: Rendering,
        direction: tuple[str | None, ...],
        strength: Tensor,
        tried: Tensor,
        started: float,
    ) -> Explanation:
        transferring = keeps_source(rendering)
        shown = self.transfer(images, reconstruction, plain, rendering)
        logits_plain = self._logits(plain)
        logits_shown = self._logits(shown) if transferring else logits_plain
        return Explanation(
            source=images.cpu(),
            reconstruction=reconstruction.cpu(),
            counterfactual=shown.cpu(),
            p_source=self.probability(images, target).cpu(),
            p_reconstruction=self.probability(reconstruction, target).cpu(),
            p_counterfactual=target_margin(logits_shown, target).sigmoid().cpu(),
            flipped=is_class(logits_shown, target).cpu(),
            flipped_plain=is_class(logits_plain, target).cpu(),
            direction=direction,
            strength=strength,
            tried=tried,
            seconds=time.perf_counter() - started,
        )


def shrunk(images: Tensor, most: int = MOST_WARPED) -> Tensor:
    """(n, channels, *spatial) images, made smaller by a whole factor to at most `most` pixels a side."""
    factor = -(-max(images.shape[2:]) // most)
    return resize(images, tuple(s // factor for s in images.shape[2:]))
