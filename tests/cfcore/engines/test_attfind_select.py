"""Ranking and both selections, by an example worked by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.engines.attfind.select import independent, name_of, pair_of, ranked, subset

# One image of margin -3. Alone: s1 + adds 2, s1 - adds 1.5, s2 + adds 1, s3 + adds 0.5.
# Together s1 + and s2 + get in each other's way (2.2 in sum), s1 + and s3 + help each other (2.8).
S1_UP, S1_DOWN, S2_UP, S3_UP = 0, 1, 2, 4
ALONE = {S1_UP: 2.0, S1_DOWN: 1.5, S2_UP: 1.0, S3_UP: 0.5}
TOGETHER = {frozenset({S1_UP, S2_UP}): 2.2, frozenset({S1_UP, S3_UP}): 2.8, frozenset({S1_UP, S2_UP, S3_UP}): 3.4}


def select(start: float, most: int = 10) -> tuple[tuple[int, ...], bool, list[tuple[int, ...]]]:
    """The subset of an image whose margin is `start`, whether it flips, and all sets that were tried."""
    asked: list[tuple[int, ...]] = []

    def margin(pairs: tuple[int, ...]) -> float:
        return start + (ALONE[pairs[0]] if len(pairs) == 1 else TOGETHER[frozenset(pairs)])

    def margins(sets: list[tuple[int, ...]]) -> Tensor:
        asked.extend(sets)
        return torch.tensor([margin(pairs) for pairs in sets])

    chosen, flipped = subset([S1_UP, S1_DOWN, S2_UP, S3_UP], margins, lambda pairs: margin(pairs) > 0, most)
    return chosen, flipped, asked


def test_subset_adds_what_helps_most_beside_what_is_chosen() -> None:
    """First s1 + (2 of 3 logits), then s3 + (2.8, though s2 + is better alone), then s2 + (3.4): flipped."""
    chosen, flipped, asked = select(-3.0)
    assert (chosen, flipped) == ((S1_UP, S3_UP, S2_UP), True)
    assert (S1_UP, S1_DOWN) not in asked, "a coordinate moves one way only"


def test_subset_stops_at_the_flip_at_its_limit_and_where_nothing_helps() -> None:
    assert select(-1.8)[:2] == ((S1_UP,), True)
    assert select(-2.5)[:2] == ((S1_UP, S3_UP), True)
    assert select(-9.0)[:2] == ((S1_UP, S3_UP, S2_UP), False)
    assert select(-9.0, most=2)[:2] == ((S1_UP, S3_UP), False)
    worse_together = subset([0, 2, 4], lambda sets: torch.tensor([-1.0 - len(s) for s in sets]), lambda pairs: False)
    assert worse_together == ((0,), False)


def test_independent_takes_the_first_ranked_pair_that_flips_alone() -> None:
    flips = torch.tensor([[True, True, False], [False, False, True], [False, False, False]])
    assert independent(flips).tolist() == [0, 2, -1]


def test_ranking_by_mean_change() -> None:
    """Means: s1 + 0.5, s1 - 2, s2 + 2, s9 - -1; the tie goes to the lower coordinate."""
    pairs = torch.tensor([0, 1, 2, 17])
    changes = torch.tensor([[1.0, 3.0, 2.0, -1.0], [0.0, 1.0, 2.0, -1.0]])
    flips = torch.tensor([[False, True, True, False], [False, False, True, False]])
    found = ranked(pairs, changes, flips, k=2)
    assert [d.name for d in found] == ["s1 -", "s2 +", "s1 +", "s9 -"]
    assert [(d.index, d.sign) for d in found] == [(0, -1), (1, 1), (0, 1), (8, -1)]
    assert [d.mean_change for d in found] == [2.0, 2.0, 0.5, -1.0]
    assert [d.explained for d in found] == [0.5, 1.0, 0.0, 0.0]
    assert [d.kept for d in found] == [True, True, False, False]


def test_only_the_best_are_listed_but_never_fewer_than_kept() -> None:
    changes, flips = torch.rand(3, 200), torch.zeros(3, 200, dtype=torch.bool)
    assert len(ranked(torch.arange(200), changes, flips, k=5)) == 64
    assert len(ranked(torch.arange(200), changes, flips, k=90)) == 90


def test_names_and_numbers_of_pairs() -> None:
    assert [name_of(pair) for pair in (0, 1, 832)] == ["s1 +", "s1 -", "s417 +"]
    assert all(pair_of(name_of(pair)) == pair for pair in range(50))
    with pytest.raises(ValueError, match='named like "s417'):
        pair_of("v3 +")
