"""Incomplete blocks: which readers read which case, so that loads are equal and pairs of readers share cases alike."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np


def incomplete_blocks(
    groups: Mapping[str, Sequence[Hashable]], readers: int, per_case: int, rng: np.random.Generator
) -> dict[Hashable, tuple[int, ...]]:
    """Case -> the `per_case` readers (0 to readers - 1, ascending) that read it.

    groups: arm -> its cases. Greedy: each case goes to those who have read least of its arm, then least in all, then
    least often together, ties by lot. Loads differ by at most 1 within each arm. Balanced in the sense of Yates (1936)
    only where the numbers allow it; `cfcore.study.design.balance` shows what came out. Raises ValueError for fewer
    than 1 or more than `readers` per case.
    """
    if not 1 <= per_case <= readers:
        raise ValueError(f"{per_case} readers per case of {readers} readers: use 1 to {readers}.")
    total = np.zeros(readers, int)
    together = np.zeros((readers, readers), int)
    chosen: dict[Hashable, tuple[int, ...]] = {}
    for cases in groups.values():
        own = np.zeros(readers, int)
        for i in rng.permutation(len(cases)):
            team: list[int] = []
            for _ in range(per_case):
                free = [r for r in range(readers) if r not in team]
                lots = rng.random(len(free))
                keys = [(own[r], total[r], together[r, team].sum(), lot) for r, lot in zip(free, lots, strict=True)]
                team.append(free[min(range(len(free)), key=keys.__getitem__)])
            for r in team:
                together[r, [s for s in team if s != r]] += 1
            own[team] += 1
            total[team] += 1
            chosen[cases[i]] = tuple(sorted(team))
    return chosen
