"""Algorithm 1 as it is printed, and as the authors' public code runs it: what our search must equal, and beat."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier, is_class, target_margin
from cfcore.generators.stylex import StylEx

from ..base import Progress, silent


@dataclass(frozen=True)
class Outcome:
    """What a search tells of n images.

    Attributes:
        order: numbers of the pairs, 2 * eigenvector + (sign is -), best first.
        changes, flips: (n, pairs) C(x') - C(x) of the target margin, and whether C calls x' the target.
        place: (n,) place in `order`, below k, of the first pair that flips the image; -1 where none does.
        explained: the counterfactual (1, channels, *size) of each image, None where place is -1.
    """

    order: list[int]
    changes: Tensor
    flips: Tensor
    place: Tensor
    explained: list[Tensor | None]


@torch.no_grad()
def algorithm_1(
    classifier: Classifier,
    generator: StylEx,
    images: Tensor,
    target: int,
    vectors: Tensor,
    degree: float,
    k: int,
    progress: Progress = silent,
) -> Outcome:
    """Algorithm 1 to the letter, with both signs: one picture at a time, E(x) and C(x) computed where they stand
    in the loops (C(x) once a move, for the change and for the label that conditions G); phase 2 draws and judges again.

    Args:
        images: (n, channels, *size) at the networks' size. vectors: (scan, width) unit rows. k: pairs walked.
    """
    n, pairs = len(images), 2 * len(vectors)
    changes, flips = torch.empty(n, pairs), torch.empty(n, pairs, dtype=torch.bool)
    done, most = 0, n * (pairs + k)

    def moved(x: Tensor, before: Tensor, pair: int) -> Tensor:
        step = degree if pair % 2 == 0 else -degree
        return generator.decode(generator.encode(x) + step * vectors[pair // 2], before.argmax(dim=1))

    for pair in range(pairs):
        for row in range(n):
            x = images[row : row + 1]
            before = classifier.logits(x)
            after = classifier.logits(moved(x, before, pair))
            changes[row, pair] = (target_margin(after, target) - target_margin(before, target)).item()
            flips[row, pair] = is_class(after, target).item()
            done += 1
            progress(done / most, f"phase 1, {done} moves")
    order = _best_first(changes)
    place = torch.full((n,), -1)
    explained: list[Tensor | None] = [None] * n
    for number, pair in enumerate(order[:k]):
        for row in range(n):
            if place[row] >= 0:
                continue
            x = images[row : row + 1]
            drawn = moved(x, classifier.logits(x), pair)
            if is_class(classifier.logits(drawn), target).item():
                place[row], explained[row] = number, drawn
            done += 1
            progress(done / most, f"phase 2, {done} moves")
    progress(1.0, "done")
    return Outcome(order, changes, flips, place, explained)


@torch.no_grad()
def as_public_code(
    classifier: Classifier,
    generator: StylEx,
    images: Tensor,
    target: int,
    vectors: Tensor,
    degree: float,
    k: int,
    progress: Progress = silent,
) -> Outcome:
    """The same search as the authors' public code runs it: codes and C(x) cached, both signs of an eigenvector in one
    batch, one image at a time, and phase 2 looks up the flips and takes the pictures that phase 1 kept."""
    n, pairs = len(images), 2 * len(vectors)
    changes, flips = torch.empty(n, pairs), torch.empty(n, pairs, dtype=torch.bool)
    codes = [generator.encode(images[row : row + 1]) for row in range(n)]
    before = [classifier.logits(images[row : row + 1]) for row in range(n)]
    labels = [logits.argmax(dim=1) for logits in before]
    signs = torch.tensor([[degree], [-degree]])
    done, most = 0, n * (pairs // 2)
    kept: dict[tuple[int, int], Tensor] = {}
    for row in range(n):
        margin = target_margin(before[row], target)
        for vector in range(len(vectors)):
            drawn = generator.decode(codes[row] + signs * vectors[vector], labels[row].expand(2))
            after = classifier.logits(drawn)
            changes[row, 2 * vector : 2 * vector + 2] = target_margin(after, target) - margin
            flips[row, 2 * vector : 2 * vector + 2] = is_class(after, target)
            kept |= {(row, 2 * vector + i): drawn[i : i + 1] for i in range(2) if flips[row, 2 * vector + i]}
            done += 1
            progress(done / most, f"phase 1, {done} batches")
    order = _best_first(changes)
    place = torch.full((n,), -1)
    explained: list[Tensor | None] = [None] * n
    for row in range(n):
        hits = flips[row, order[:k]]
        if hits.any():
            place[row] = int(hits.int().argmax())
            explained[row] = kept[row, order[int(place[row])]]
    return Outcome(order, changes, flips, place, explained)


def _best_first(changes: Tensor) -> list[int]:
    return [int(pair) for pair in changes.mean(dim=0).argsort(descending=True, stable=True)]
