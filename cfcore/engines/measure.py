"""What a fitted engine's directions do to images: the degree that most need, the effect of a joint direction."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.classifiers.base import is_class, resize, target_margin
from cfcore.rendering import Rendering

from .base import Engine, Progress, silent

BATCH = 16
SHARE = 0.9  # of the images that must flip at the suggested degree
STEPS = 20  # even steps up to the degree of the search; EigenFind's d = 10 in halves


@torch.no_grad()
def suggest_degree(
    engine: Engine,
    images: Tensor,
    target: int,
    *,
    rendering: Rendering,
    share: float = SHARE,
    progress: Progress = silent,
) -> float | None:
    """The smallest degree at which at least `share` of the images flip along the directions that explain them.

    Each image moves along its own direction, the one by which the engine explains it. Bisection over STEPS even steps
    up to the degree of the search, on the share of images that flip as shown; assumes that the share grows with the
    degree.

    Args:
        images: (n, channels, *spatial) in [0, 1] that C does not call `target`. share: in (0, 1].

    Returns:
        The degree; None where even the degree of the search flips fewer.

    Raises:
        ValueError: there is no image, or `share` is no share.
    """
    if len(images) == 0 or not 0 < share <= 1:
        raise ValueError(
            f"a degree for {share:g} of {len(images)} images means nothing: give images and a share above 0"
        )
    found = engine.explain(images, target, rendering=rendering)
    rows = found.flipped.nonzero()[:, 0]
    if len(rows) < share * len(images):
        return None
    winners = _Winners(engine, images, target, rendering, [found.direction[i] for i in range(len(images))])
    most = found.strength[rows].amax().item()
    low, high = 0, STEPS
    while high - low > 1:
        middle = (low + high) // 2
        progress(1 - (high - low) / STEPS, f"share of images that flip at degree {most * middle / STEPS:g}")
        enough = winners.flips(rows, most * middle / STEPS) >= share * len(images)
        low, high = (low, middle) if enough else (middle, high)
    return most * high / STEPS


class _Winners:
    """Images encoded and drawn once, to be moved along the direction that explains each."""

    def __init__(
        self, engine: Engine, images: Tensor, target: int, rendering: Rendering, names: list[str | None]
    ) -> None:
        self.engine, self.images, self.target, self.rendering, self.names = engine, images, target, rendering, names
        self.small = resize(images, engine.size)
        self.codes = torch.cat([engine.encode(chunk, target) for chunk in self.small.split(BATCH)])
        pairs = zip(self.codes.split(BATCH), self.small.split(BATCH), strict=True)
        self.base = torch.cat([engine.draw(codes, small, {}, target) for codes, small in pairs])

    def flips(self, rows: Tensor, degree: float) -> int:
        """How many of the images `rows` flip at `degree`, judged on what is shown."""
        count = 0
        for name in dict.fromkeys(self.names[i] for i in rows.tolist()):
            own = torch.tensor([i for i in rows.tolist() if self.names[i] == name])
            for part in own.split(BATCH):
                degrees = torch.full((len(part),), degree, device=self.codes.device)
                moved = self.engine.draw(self.codes[part], self.small[part], {name: degrees}, self.target)
                shown = self.engine.transfer(self.images[part], self.base[part], moved, self.rendering)
                count += int(is_class(self.engine.judge(shown), self.target).sum())
        return count


@torch.no_grad()
def effect(engine: Engine, direction: str, images: Tensor, target: int, degree: float) -> tuple[float, float]:
    """(mean change of the target margin in logits, share flipped) of images moved along one direction, in the
    generator's own pictures and against their own reconstructions: what a search ranks by."""
    changes, flips = [], []
    for small in resize(images, engine.size).split(BATCH):
        codes = engine.encode(small, target)
        moves: dict[str | None, Tensor] = {direction: torch.full((len(small),), degree, device=small.device)}
        before = engine.judge(engine.draw(codes, small, {}, target))
        after = engine.judge(engine.draw(codes, small, moves, target))
        changes.append(target_margin(after, target) - target_margin(before, target))
        flips.append(is_class(after, target))
    return torch.cat(changes).mean().item(), torch.cat(flips).float().mean().item()
