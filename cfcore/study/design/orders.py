"""The order of one reader's cases: at random, in permuted blocks of arms, or arm after arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

Case = TypeVar("Case")


def permuted_blocks(groups: Mapping[str, Sequence[Case]], rng: np.random.Generator) -> list[Case]:
    """Runs of cases in which every group stands once, in random order, while it lasts.

    A group with fewer cases than the largest is spread evenly over the runs. Permuted blocks: Zelen, J. Chronic Dis.
    27 (1974) 365-375.
    """
    largest = max((len(cases) for cases in groups.values()), default=0)
    runs: list[list[Case]] = [[] for _ in range(largest)]
    for cases in groups.values():
        # Places of a smaller group: one in each of as many equal stretches.
        edges = np.floor(np.linspace(0, largest, len(cases) + 1)).astype(int)
        for place, i in enumerate(rng.permutation(len(cases))):
            runs[int(rng.integers(edges[place], edges[place + 1]))].append(cases[i])
    return [run[i] for run in runs for i in rng.permutation(len(run))]


def arm_after_arm(
    groups: Mapping[str, Sequence[Case]], arms: Sequence[str], others: Sequence[Case], rng: np.random.Generator
) -> list[list[Case]]:
    """One series an arm, in the order of `arms`, cases shuffled; `others` (controls) spread evenly over the series."""
    shuffled = [others[i] for i in rng.permutation(len(others))]
    # Which series takes the odd one more is drawn, so that no arm carries more controls for every reader.
    places = rng.permutation(len(arms))
    series = []
    for place, arm in zip(places, arms, strict=True):
        cases = [*groups.get(arm, ()), *shuffled[place :: len(arms)]]
        series.append([cases[i] for i in rng.permutation(len(cases))])
    return series


def spread_patients(cases: Sequence[Case], patients: Mapping[Case, object]) -> list[Case]:
    """The same order, but two neighbours of one patient are parted by the next case of another, where there is one."""
    order = list(cases)
    for i in range(1, len(order)):
        before = patients.get(order[i - 1], order[i - 1])
        if patients.get(order[i], order[i]) == before:
            swap = next((j for j in range(i + 1, len(order)) if patients.get(order[j], order[j]) != before), None)
            if swap is not None:
                order[i], order[swap] = order[swap], order[i]
    return order
