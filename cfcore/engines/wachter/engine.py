"""The closest picture of another class by plain gradients."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import is_class, target_margin

from ..base import Progress, silent
from ..searched import PixelSearch, differentiated
from .config import WachterConfig


class Wachter(PixelSearch):
    """min over x' of lambda loss(p(x'), target) + |x' - x|_1, summed over pixels; Adam, clamped to [0, 1].

    Lambda grows from round to round, each going on where the last ended, until C calls some x' of a round the target;
    the counterfactual is the closest such x' of that round. An image that no round flips has none: the picture is the
    one of the largest margin. The published distance divides each feature's by its median absolute deviation, which is
    0 for many pixels; here all weigh alike.
    """

    name = "wachter"
    title = "Wachter's gradient method"
    label = "Wachter"
    paper = "Wachter, Mittelstadt, Russell, Counterfactual explanations without opening the black box, HJLT 2017"
    Config = WachterConfig
    config: WachterConfig

    def _search(self, images: Tensor, target: int, progress: Progress) -> tuple[Tensor, Tensor]:
        config, n = self.config, len(images)
        best, moved = images.clone(), images.clone()
        distance, margin = (torch.full((n,), value, device=images.device) for value in (float("inf"), float("-inf")))
        rows = torch.arange(n, device=images.device)
        for turn in range(config.rounds):
            leaf, source = moved[rows], images[rows]
            weight = config.weight * config.growth**turn
            for step, (logits, far) in enumerate(self._descent(leaf, source, target, weight)):
                if step % 10 == 0:
                    share = (turn + step / config.steps) / config.rounds
                    progress(share, f"Wachter: weight {weight:g}, {len(rows)} of {n} images go on")
                high, flips = target_margin(logits, target), is_class(logits, target)
                nearer = flips & (far < distance[rows])
                # Until something flips, the picture of the largest margin stands in.
                take = nearer | (~flips & distance[rows].isinf() & (high > margin[rows]))
                best[rows[take]] = leaf[take]
                distance[rows[nearer]] = far[nearer]
                margin[rows] = torch.maximum(margin[rows], high)
            moved[rows] = leaf
            rows = rows[distance[rows].isinf()]
            if not len(rows):
                break
        return best, distance.isfinite()

    @torch.no_grad()
    def trade_off(self, images: Tensor, target: int, progress: Progress = silent) -> list[tuple[float, Tensor]]:
        """What weighs how much: lambda of every round, and the (n, channels, *size) pictures at which the round ends.

        Unlike in the search no image leaves, and nothing is chosen among a round's steps.

        Args:
            images: (n, channels, *size) in [0, 1].

        Raises:
            TypeError: the classifier passes no gradients.
        """
        moved, found = images.clone(), []
        for turn in range(self.config.rounds):
            weight = self.config.weight * self.config.growth**turn
            progress(turn / self.config.rounds, f"Wachter: weight {weight:g}")
            for _ in self._descent(moved, images, target, weight):
                pass
            found.append((weight, moved.clone()))
        return found

    def _descent(self, leaf: Tensor, source: Tensor, target: int, weight: float) -> Iterator[tuple[Tensor, Tensor]]:
        """One round, which moves `leaf` in place: before each step its (n, classes) logits and (n,) distance."""

        def loss(x: Tensor, out: Tensor) -> Tensor:
            return weight * self._loss(target_margin(out, target)) + _distance(x, source)

        adam = torch.optim.Adam([leaf], lr=self.config.rate)
        for _ in range(self.config.steps):
            logits, leaf.grad = differentiated(self.classifier, leaf, loss)
            yield logits, _distance(leaf, source)
            adam.step()
            leaf.clamp_(0, 1)

    def _loss(self, margin: Tensor) -> Tensor:
        if self.config.loss == "squared":
            return (margin.sigmoid() - 1).square()
        return functional.softplus(-margin)


def _distance(moved: Tensor, source: Tensor) -> Tensor:
    return (moved - source).abs().flatten(1).sum(dim=1)
