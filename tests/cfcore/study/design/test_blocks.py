from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.study.design.blocks import incomplete_blocks


@given(
    sizes=st.lists(st.integers(0, 14), min_size=1, max_size=4),
    readers=st.integers(1, 7),
    data=st.data(),
    seed=st.integers(0, 99),
)
def test_each_case_has_its_readers_and_loads_are_equal(sizes, readers, data, seed):
    per_case = data.draw(st.integers(1, readers))
    groups = {f"arm{i}": [(i, j) for j in range(n)] for i, n in enumerate(sizes)}
    teams = incomplete_blocks(groups, readers, per_case, np.random.default_rng(seed))
    assert set(teams) == {case for cases in groups.values() for case in cases}
    assert all(len(set(team)) == per_case and set(team) <= set(range(readers)) for team in teams.values())
    for cases in groups.values():
        loads = Counter(r for case in cases for r in teams[case])
        counts = [loads[r] for r in range(readers)]
        assert max(counts) - min(counts) <= 1
    assert teams == incomplete_blocks(groups, readers, per_case, np.random.default_rng(seed))


def test_pairs_of_readers_share_cases_alike_where_the_numbers_allow_it():
    teams = incomplete_blocks({"a": range(60)}, 5, 2, np.random.default_rng(3))
    common = Counter(pair for team in teams.values() for pair in combinations(team, 2))
    assert len(common) == 10 and max(common.values()) - min(common.values()) <= 2


@pytest.mark.parametrize("per_case", [0, 4])
def test_impossible_numbers_are_named(per_case):
    with pytest.raises(ValueError, match=f"{per_case} readers per case of 3"):
        incomplete_blocks({"a": [1]}, 3, per_case, np.random.default_rng(0))
