from collections import Counter
from itertools import pairwise

import pytest

from cfcore.study.design.latin import group_of, rotated_arm, williams


@pytest.mark.parametrize("n", range(1, 9))
def test_every_condition_stands_everywhere_and_follows_every_other_equally_often(n):
    rows = williams(n)
    assert len(rows) == (1 if n == 1 else n if n % 2 == 0 else 2 * n)
    assert all(sorted(row) == list(range(n)) for row in rows)
    for place in range(n):
        assert set(Counter(row[place] for row in rows).values()) == {len(rows) // n}
    follows = Counter(pair for row in rows for pair in pairwise(row))
    assert len(follows) == n * (n - 1) and len(set(follows.values())) <= 1


def test_no_conditions_make_no_square():
    with pytest.raises(ValueError, match="at least 1"):
        williams(0)


@pytest.mark.parametrize("n", range(1, 6))
def test_rotation_gives_each_group_every_arm_and_each_block_every_arm(n):
    for group in range(n):
        assert sorted(rotated_arm(block, group, n) for block in range(n)) == list(range(n))
    assert [group_of(slot, n) for slot in range(1, n + 1)] == list(range(n)) and group_of(n + 1, n) == 0
