"""Share explained, as a paper's Table 1 asks it: walk the kept directions in order, count what holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cfcore.classifiers.base import resize
from cfcore.engines.base import Engine, NamedDirection, Progress, silent
from cfcore.rendering import Rendering, keeps_source

from .validity import BATCH, Criteria, classes_of, judge


@dataclass(frozen=True)
class Walk:
    """What walking the kept directions did to n images, under one rendering.

    Attributes:
        faithful: (n,) bool, C(x^) = C(x) = s: the denominator of `share`.
        flipped: (n,) bool, some direction gives C(x') = t at all ("raw").
        explained: (n,) bool, faithful, and some direction meets every criterion.
        direction: the first one that does, None where none does.
        tried: (n,) directions tried until then. l1: (n,) mean |x' - base| there, nan where none.
    """

    faithful: Tensor
    flipped: Tensor
    explained: Tensor
    direction: tuple[str | None, ...]
    tried: Tensor
    l1: Tensor

    @property
    def counts(self) -> tuple[int, int]:
        """(explained, faithful): numerator and denominator of the share explained."""
        return int(self.explained.sum()), int(self.faithful.sum())


def best_directions(found: Sequence[NamedDirection], scan: int, k: int) -> list[NamedDirection]:
    """The k directions of highest mean change among the first `scan` eigenvectors: what a search of only those would
    have kept, since each is scored by itself."""
    ranked = sorted((d for d in found if d.index < scan), key=lambda d: -d.mean_change)
    return ranked[:k]


def distinct(found: Sequence[NamedDirection], n: int) -> list[NamedDirection]:
    """The n first directions of different eigenvectors: the better sign of each (Table 2 lists three eigenvectors)."""
    first: dict[int, NamedDirection] = {}
    for entry in found:
        first.setdefault(entry.index, entry)
    return list(first.values())[:n]


@torch.no_grad()
def walk_directions(
    engine: Engine,
    images: Tensor,
    target: int,
    directions: Sequence[NamedDirection],
    degree: float,
    *,
    criteria: Criteria = Criteria(),
    renderings: Sequence[Rendering] = ("plain", "detail transfer"),
    progress: Progress = silent,
) -> Mapping[Rendering, Walk]:
    """Move each image along the directions in their order until one explains it, under each rendering.

    The base from which the L1 is taken is what degree 0 shows: the reconstruction in plain rendering, the source itself
    with a transfer. Faithfulness is always that of the reconstruction. Images of any resolution.

    Raises:
        ValueError: C gives some image the target class already, or there is no direction.
    """
    if not directions:
        raise ValueError("there is no direction to walk: fit the engine first")
    classes = classes_of(engine.classifier, images)
    if (classes == target).any():
        raise ValueError(
            f"some images are {engine.classifier.class_names[target]!r} for the classifier already: leave them out"
        )
    small = resize(images, engine.size)
    codes = torch.cat([engine.encode(chunk, target) for chunk in small.split(BATCH)])
    base = _drawn(engine, codes, small, None, 0.0, target)
    faithful = (classes_of(engine.classifier, base) == classes).cpu()
    states = {rendering: _State(len(images)) for rendering in renderings}
    for step, entry in enumerate(directions):
        rows = torch.stack([s.open for s in states.values()]).any(dim=0).nonzero()[:, 0]
        if len(rows) == 0:
            break
        moved = _drawn(engine, codes[rows], small[rows], entry.name, degree, target)
        for rendering, state in states.items():
            own = state.open[rows]
            at = rows[own]
            if len(at) == 0:
                continue
            picture = engine.transfer(images[at], base[at], moved[own], rendering)
            start = images[at] if keeps_source(rendering) else base[at]
            verdict = judge(engine.classifier, start, picture, target, criteria)
            state.take(at, entry.name, verdict.flipped.cpu(), verdict.holds.cpu(), verdict.l1.cpu())
        progress((step + 1) / len(directions), f"walked {step + 1} of {len(directions)} directions")
    return {rendering: state.result(faithful) for rendering, state in states.items()}


def _drawn(engine: Engine, codes: Tensor, images: Tensor, name: str | None, degree: float, target: int) -> Tensor:
    parts = zip(codes.split(BATCH), images.split(BATCH), strict=True)
    return torch.cat(
        [engine._render(c, i, name, torch.full((len(c),), degree, device=c.device), target) for c, i in parts]
    )


class _State:
    """Which images are still open under one rendering, and what was found so far."""

    def __init__(self, n: int) -> None:
        self.open = torch.ones(n, dtype=torch.bool)
        self.flipped = torch.zeros(n, dtype=torch.bool)
        self.tried = torch.zeros(n, dtype=torch.long)
        self.l1 = torch.full((n,), float("nan"))
        self.names: list[str | None] = [None] * n

    def take(self, at: Tensor, name: str, flipped: Tensor, holds: Tensor, l1: Tensor) -> None:
        self.tried[at] += 1
        self.flipped[at] |= flipped
        done = at[holds]
        self.l1[done] = l1[holds]
        for row in done.tolist():
            self.names[row] = name
        self.open[done] = False

    def result(self, faithful: Tensor) -> Walk:
        explained = ~self.open & faithful
        return Walk(faithful, self.flipped, explained, tuple(self.names), self.tried, self.l1)
