"""Data sets of brain slices: half of them with a lesion, split by person."""

from __future__ import annotations

from dataclasses import dataclass

from cfcore.images.phantom.dataset import deal

CLASSES = ("Healthy", "Lesion")
VERSION = "1"


@dataclass(frozen=True)
class BrainCase:
    """One person of a data set: `seed` for `draw`, label 1 with a lesion."""

    seed: int
    label: int
    split: str
    key: str


def build_brains(n: int, seed: int) -> list[BrainCase]:
    """n people, half of them with a lesion, split 70/10/20 as phantoms are.

    Args:
        n: number of people (one slice each), 1 to 1,000,000.
        seed: data sets of different seeds share no person.

    Raises:
        ValueError: n or seed out of range.
    """
    labels, splits = deal(n, seed)
    return [
        BrainCase(seed * 1_000_000 + i, label, split, f"brain-{seed * 1_000_000 + i:09d}")
        for i, (label, split) in enumerate(zip(labels, splits, strict=True))
    ]
