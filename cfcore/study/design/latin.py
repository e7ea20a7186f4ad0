"""Balanced Latin squares: the order of arms over readers (Williams 1949), patients rotated over groups of readers."""

from __future__ import annotations


def williams(n: int) -> list[list[int]]:
    """Rows of conditions 0 to n - 1 in which each stands once at every place and follows every other equally often.

    n rows for an even n, 2 n for an odd one (the square and its mirror image): E. J. Williams, "Experimental designs
    balanced for the estimation of residual effects of treatments", Aust. J. Sci. Res. A 2 (1949) 149-168. Raises
    ValueError for fewer than 1 condition.
    """
    if n < 1:
        raise ValueError(f"{n} conditions: a Latin square needs at least 1.")
    # 0, 1, n - 1, 2, n - 2, ...: neighbours differ by every amount once.
    first = [0] + [(i + 1) // 2 if i % 2 else n - i // 2 for i in range(1, n)]
    rows = [[(value + shift) % n for value in first] for shift in range(n)]
    return rows if n % 2 == 0 or n == 1 else rows + [row[::-1] for row in rows]


def group_of(slot: int, n_arms: int) -> int:
    """The group (0 to n_arms - 1) of the reader with schedule `slot` (from 1): readers in turn."""
    return (slot - 1) % n_arms


def rotated_arm(block: int, group: int, n_arms: int) -> int:
    """Under which arm (0 to n_arms - 1) a group of readers sees a block of patients: a cyclic Latin square."""
    return (block + group) % n_arms
