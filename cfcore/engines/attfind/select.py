"""Which coordinates are kept, and the two ways in which StylEx picks an image's own among them. Plain arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from cfcore.engines.base import NamedDirection

MOST = 10  # coordinates in a subset
LISTED = 64  # ranked directions that people can choose from, unless more are kept
SIGNS = "+-"


def name_of(pair: int) -> str:
    """The name of (coordinate, sign) pair `2 j + side`: "s1 +" is coordinate 0 towards its maximum."""
    return f"s{pair // 2 + 1} {SIGNS[pair % 2]}"


def pair_of(name: str) -> int:
    """The pair called `name`. Raises ValueError for what is no such name."""
    word, _, sign = name.strip().partition(" ")
    if not (word[:1] == "s" and word[1:].isdecimal() and int(word[1:]) > 0 and sign in ("+", "-")):
        raise ValueError(f'no direction {name!r}: a style coordinate is named like "s417 +"')
    return 2 * (int(word[1:]) - 1) + SIGNS.index(sign)


def ranked(pairs: Tensor, changes: Tensor, flips: Tensor, k: int) -> tuple[NamedDirection, ...]:
    """The LISTED best (coordinate, sign) pairs by mean change of the target margin, the first `k` kept.

    Args:
        pairs: (p,) numbers of the pairs searched. changes: (n, p) change of the margin an image. flips: (n, p) bool.

    Ties go to the lower coordinate, then to +.
    """
    mean, explained = changes.mean(dim=0), flips.float().mean(dim=0)
    order = sorted(range(len(pairs)), key=lambda i: (-mean[i].item(), int(pairs[i])))
    return tuple(
        NamedDirection(
            name=name_of(int(pairs[i])),
            index=int(pairs[i]) // 2,
            sign=1 - 2 * (int(pairs[i]) % 2),
            mean_change=mean[i].item(),
            explained=explained[i].item(),
            kept=rank < k,
        )
        for rank, i in enumerate(order[: max(k, LISTED)])
    )


def independent(flips: Tensor) -> Tensor:
    """Independent selection: per image the first of the ranked pairs that flips it by itself.

    Args:
        flips: (n, k) bool, the pairs in order of rank.

    Returns:
        (n,) position of that pair, -1 where none flips the image.
    """
    first = flips.int().argmax(dim=1)
    return torch.where(flips.any(dim=1), first, torch.full_like(first, -1))


def subset(
    candidates: Sequence[int],
    margins: Callable[[list[tuple[int, ...]]], Tensor],
    flips: Callable[[tuple[int, ...]], bool],
    most: int = MOST,
) -> tuple[tuple[int, ...], bool]:
    """Subset selection: add, one at a time, the pair that raises one image's margin most, until the image flips.

    Args:
        candidates: pairs to choose from; a coordinate moves one way only, so its other sign is out once it is chosen.
        margins: given sets of pairs, the (b,) margins of the image moved along all pairs of each set.
        flips: whether the image moved along all pairs of a set flips. most: size of the largest set.

    Returns:
        The chosen pairs in order, and whether they flip the image. Ends early where no further pair raises the margin.
    """
    chosen: tuple[int, ...] = ()
    best = float("-inf")
    while len(chosen) < most:
        used = {pair // 2 for pair in chosen}
        trials = [(*chosen, pair) for pair in candidates if pair // 2 not in used]
        if not trials:
            break
        found = margins(trials)
        top = int(found.argmax())
        if found[top].item() <= best:
            break
        chosen, best = trials[top], found[top].item()
        if flips(chosen):
            return chosen, True
    return chosen, False
