"""A batch is cut into equal parts that keep minibatch-stddev groups together."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cfcore.training.batches import Part


@given(st.integers(1, 4), st.sampled_from([1, 2, 4]), st.integers(1, 4))
def test_the_parts_make_the_whole(pieces: int, group: int, times: int) -> None:
    rows = torch.arange(pieces * group * times)
    parts = torch.cat([Part(index, pieces, group).of(rows) for index in range(pieces)])
    assert sorted(parts.tolist()) == rows.tolist()


def test_groups_stay_together() -> None:
    """Rows i, i + 4, i + 8, i + 12 of 16 form a group; so must rows j, j + 2, j + 4, j + 6 of each half."""
    whole = {frozenset(range(i, 16, 4)) for i in range(4)}
    halves = [Part(index, 2, 4).of(torch.arange(16)).tolist() for index in range(2)]
    assert {frozenset(half[j::2]) for half in halves for j in range(2)} == whole


def test_a_batch_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="a batch of 5 cannot be cut into 2"):
        Part(0, 2).of(torch.arange(5))
