"""The race: never drops a pair that is clearly among the best, drops most others, and measures exactly what is left."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cfcore.engines.eigenfind import EigenFindConfig
from cfcore.engines.eigenfind.race import FIRST, next_images, order_of, survivors
from cfcore.engines.eigenfind.search import Measured, most_moves, ranked, search


def searched(table: Tensor, config: EigenFindConfig) -> tuple[Measured, int]:
    """A search whose move of image i along pair p changes the margin by `table[i, p]`; moves made."""
    made = 0

    def judge(codes: Tensor, shift: Tensor) -> Tensor:
        nonlocal made
        moved = shift.abs().sum(dim=1) > 0
        made += int(moved.sum())
        pair = 2 * shift.abs().argmax(dim=1) + (shift.sum(dim=1) < 0)
        margin = torch.where(moved, table[codes[:, 0].long(), pair], torch.zeros(()))
        return torch.stack([torch.zeros_like(margin), margin], dim=1)

    n = len(table)
    found = search(judge, torch.arange(n)[:, None].float(), torch.eye(20), 1, config, lambda *_: None)
    return found, made


@given(st.integers(0, 10_000), st.integers(24, 80))
@settings(max_examples=25)
def test_clear_winners_are_kept_with_exact_figures_at_a_fraction_of_the_moves(seed: int, n: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(n, 40, generator=generator)
    best = torch.randperm(40, generator=generator)[:8]
    table[:, best] += 4.0
    config = EigenFindConfig(degree=1.0, race=3.0)
    found, made = searched(table, config)
    names = {(d.index, d.sign) for d in ranked(found, config) if d.kept}
    assert names == {(int(p) // 2, 1 - 2 * (int(p) % 2)) for p in best}
    assert made == int(found.changes.isfinite().sum()) < 0.5 * most_moves(n, 40, config)
    for d in ranked(found, config):
        column = table[:, 2 * d.index + (d.sign < 0)]
        assert d.mean_change == pytest.approx(column.mean().item(), abs=1e-5)
        assert d.explained == pytest.approx((column > 0).float().mean().item())


def test_pairs_too_close_to_tell_apart_are_measured_to_the_end() -> None:
    """The ninth pair lies a hair below the eighth on average, by turns above and below it."""
    table = torch.zeros(32, 40) - 10.0
    table[:, :8] = 1.0
    table[::2, 8], table[1::2, 8] = 3.0, -1.01
    found, _ = searched(table, EigenFindConfig(degree=1.0, race=2.0))
    complete = found.complete.flatten().nonzero()[:, 0].tolist()
    assert complete == list(range(9))


def test_a_pair_goes_by_as_many_standard_errors_as_asked() -> None:
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(10, 1)
    changes = torch.cat([torch.full((20, 1), 2.0), rows], dim=1)
    # The differences are 1 and 2 by turns: mean 1.5, variance 5 / 19; the standard error for 20 of 100 is 0.103.
    error = (5 / 19 * (1 / 20 - 1 / 100)) ** 0.5
    assert survivors(changes, 1, 100, 1.5 / error + 0.01).tolist() == [True, True, True]
    assert survivors(changes, 1, 100, 1.5 / error - 0.01).tolist() == [True, False, False]
    assert survivors(changes, 1, 20, 10.0).tolist() == [True, False, False], "nothing is uncertain at the end"
    assert survivors(changes[:1], 1, 100, 1.0).all(), "one image tells nothing of the spread"


def test_any_beginning_of_the_order_is_spread_over_all_images() -> None:
    for n in (1, 7, 64):
        assert sorted(order_of(n).tolist()) == list(range(n))
    quarters = order_of(64)[:4] // 16
    assert sorted(quarters.tolist()) == [0, 1, 2, 3]


def test_the_looks_come_after_full_batches() -> None:
    assert next_images(0, 64, 40, 8) == FIRST
    assert next_images(4, 64, 40, 8) == 2
    assert next_images(4, 64, 10, 8) == 5
    assert next_images(4, 64, 8, 8) == 60
    assert next_images(63, 64, 10, 8) == 1


def test_impossible_races_are_refused() -> None:
    with pytest.raises(ValueError, match="race must be 0 or from 1 to 10"):
        EigenFindConfig(race=0.5)
    with pytest.raises(ValueError, match="set halving to 0"):
        EigenFindConfig(race=3, halving=1)
    with pytest.raises(ValueError, match="set prerank, halving and race to 0"):
        EigenFindConfig(race=3, consistent=True)
