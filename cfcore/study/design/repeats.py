"""Second readings: which cases come again, and where, so that a minimum distance holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

Case = TypeVar("Case")


def even_draw(groups: Mapping[str, Sequence[Case]], n: int, rng: np.random.Generator) -> list[Case]:
    """`n` cases at random, numbers from each group equal to within 1 while they last; fewer where there are no more."""
    stacks = [[cases[i] for i in rng.permutation(len(cases))] for cases in groups.values()]
    drawn: list[Case] = []
    while len(drawn) < n and any(stacks):
        for i in rng.permutation(len(stacks)):
            if stacks[i] and len(drawn) < n:
                drawn.append(stacks[i].pop())
    return drawn


def place_repeats(
    order: Sequence[Case], groups: Mapping[str, Sequence[Case]], n: int, distance: int, rng: np.random.Generator
) -> list[tuple[Case, bool]]:
    """The order with `n` cases read again, as (case, whether it is the second reading).

    groups: arm -> cases that may come again. Each second reading stands at least `distance` cases after the first
    (distance 1: the very next). Raises ValueError where the order is too short.
    """
    at = {case: i for i, case in enumerate(order)}
    # A case at place p, again at the end at the earliest: len(order) - p >= distance.
    room = {arm: [c for c in cases if c in at and len(order) - at[c] >= distance] for arm, cases in groups.items()}
    chosen = even_draw(room, n, rng)
    if len(chosen) < n:
        raise ValueError(
            f"Only {len(chosen)} of {n} repeats have room {distance} cases after their first reading: ask for fewer "
            "repeats or a shorter distance."
        )
    found = [(case, False) for case in order]
    for case in chosen:
        first = next(i for i, (other, again) in enumerate(found) if other == case and not again)
        place = int(rng.integers(first + distance, len(found) + 1))
        found.insert(place, (case, True))
    return found
