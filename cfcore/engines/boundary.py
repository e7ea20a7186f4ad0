"""Where on its way an image changes its class: the first bracket of its curve, found on a grid and then halved."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cfcore.classifiers.base import is_class, resize
from cfcore.rendering import DEFAULT_RENDERING, Rendering

from .base import Engine, shrunk
from .transfer import keep_mask

TOLERANCE = 0.001  # of the way that a curve spans
STEPS, BATCH = 8, 16

# Numbers of ways (k,) and a degree on each (k,) -> (k,) bool: C says the target there.
Says = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Boundary:
    """Where each of n ways first changes its class.

    Attributes:
        degree: (n,) float64, judged itself and already of the other class than the way's start; nan where the class
            never changes on the curve.
        target_at_start: (n,) bool, C says the target where the way starts, so that at `degree` it changes back.
    """

    degree: Tensor
    target_at_start: Tensor


def first_change(says: Says, degrees: Tensor, hits: Tensor, tolerance: float = TOLERANCE) -> Boundary:
    """Bisect the first bracket of each curve between whose ends the class changes, all ways side by side.

    A curve comes first, since the probability need not rise steadily: a bisection of the whole way would end at any of
    its changes. One that hides between two neighbouring degrees of the curve, there and back, is not found.

    Args:
        says: what C says, asked of all ways that are still open at once.
        degrees: (n, m) along each way, from its start on. hits: (n, m) bool, what C says there.
        tolerance: of the way |last - first|: `degree` lies less than so far behind a degree of the start's class.

    Raises:
        ValueError: another number of degrees than of hits, none, or a tolerance outside (0, 1).
    """
    if degrees.shape != hits.shape or degrees.dim() != 2 or degrees.shape[1] == 0:
        raise ValueError(
            f"the curve has degrees {tuple(degrees.shape)} and classes {tuple(hits.shape)}: give (n, m) of both, m > 0"
        )
    if not 0 < tolerance < 1:
        raise ValueError(f"the tolerance is {tolerance:g}: choose a share of the way above 0 and below 1")
    degrees, start = degrees.double().cpu(), hits[:, 0].cpu()
    changed = hits.cpu() != start[:, None]
    rows = changed.any(dim=1).nonzero()[:, 0]
    first = changed.int().argmax(dim=1)[rows]
    width = tolerance * (degrees[rows, -1] - degrees[rows, 0]).abs()

    def open_ways(which: Tensor, at: Tensor) -> Tensor:
        return says(rows[which], at)

    found = torch.full((len(degrees),), math.nan, dtype=torch.float64)
    found[rows] = halved(open_ways, degrees[rows, first - 1], degrees[rows, first], start[rows], width)
    return Boundary(found, start)


def halved(says: Says, before: Tensor, after: Tensor, start: Tensor, width: Tensor) -> Tensor:
    """(n,) float64: the far ends of n brackets, halved side by side until each is at most its `width` (n,) wide.

    Args:
        before, after: (n,) degrees between which what C says changes: from `start` (n,) bool to its contrary.
    """
    before, after = before.double(), after.double().clone()
    ratios = ((after - before).abs() / width).tolist()
    # Counted, so that rounding cannot keep a bracket open for ever.
    for _ in range(max((math.ceil(math.log2(ratio)) for ratio in ratios if ratio > 1), default=0)):
        wide = ((after - before).abs() > width).nonzero()[:, 0]
        if not len(wide):
            break
        middle = (before[wide] + after[wide]) / 2
        there = says(wide, middle).cpu() != start[wide]
        after[wide] = torch.where(there, middle, after[wide])
        before = before.index_put((wide,), torch.where(there, before[wide], middle))
    return after


@torch.no_grad()
def boundary(
    engine: Engine,
    images: Tensor,
    target: int,
    ends: Tensor,
    directions: Sequence[str | None],
    *,
    rendering: Rendering = DEFAULT_RENDERING,
    steps: int = STEPS,
    tolerance: float = TOLERANCE,
) -> Boundary:
    """Where each image's class, as shown, first changes on its way from degree 0 to its end along its own direction.

    The curve has `steps` equal steps. Pictures of several images are judged in one batch, at the source's own
    resolution as every flip is, but at `MOST_WARPED` pixels a side at most.

    Args:
        images: (n, channels, *spatial) in [0, 1], n > 0. ends: (n,) degrees, of either sign, none 0.
        directions: n names; None: the method's own way. tolerance: of the way from 0 to an end.

    Raises:
        ValueError: there is no step, an end or a direction is missing, or as `first_change`.
    """
    if not len(images) == len(ends) == len(directions) or steps < 1:
        raise ValueError(
            f"{len(images)} images, {len(ends)} ends, {len(directions)} directions, {steps} steps: give one end and "
            "one direction an image, and at least one step"
        )
    ways = _Ways(engine, images, target, directions, rendering)
    grid = torch.linspace(0, 1, steps + 1, dtype=torch.float64) * ends.double().cpu()[:, None]
    every = torch.arange(len(images)).repeat_interleave(steps + 1)
    return first_change(ways.says, grid, ways.says(every, grid.flatten()).view(grid.shape), tolerance)


class _Ways:
    """Images encoded and drawn once, to be moved along a direction of each."""

    def __init__(
        self, engine: Engine, images: Tensor, target: int, directions: Sequence[str | None], rendering: Rendering
    ) -> None:
        self.engine, self.target, self.directions, self.rendering = engine, target, directions, rendering
        self.small = resize(images, engine.size)
        chunks = self.small.split(BATCH)
        self.codes = torch.cat([engine.encode(chunk, target) for chunk in chunks])
        pairs = zip(self.codes.split(BATCH), chunks, strict=True)
        self.base = torch.cat([engine.draw(codes, small, {}, target) for codes, small in pairs])
        self.source = shrunk(images)
        self.keep = keep_mask(self.source) if rendering == "warped transfer" else None

    def says(self, rows: Tensor, degrees: Tensor) -> Tensor:
        """(k,) bool: what C says of the images `rows` (k,) at `degrees` (k,)."""
        found = torch.zeros(len(rows), dtype=torch.bool)
        names = [self.directions[row] for row in rows.tolist()]
        for name in dict.fromkeys(names):
            own = torch.tensor([place for place, other in enumerate(names) if other == name])
            for part in own.split(BATCH):
                found[part] = self._judged(rows[part], degrees[part], name)
        return found

    def _judged(self, rows: Tensor, degrees: Tensor, name: str | None) -> Tensor:
        small = self.small[rows]
        drawn = self.engine.draw(self.codes[rows], small, {name: degrees.to(small)}, self.target)
        keep = None if self.keep is None else self.keep[rows]
        shown = self.engine.transfer(self.source[rows], self.base[rows], drawn, self.rendering, keep=keep)
        return is_class(self.engine.judge(shown), self.target).cpu()
