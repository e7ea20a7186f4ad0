"""Generators of another folder than weights/ in a measurement: those that a user has trained."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

from services.models import SHIPPED_FOLDER
from services.reproduce.material import Shipped, shipped_generators


def measured_generators(models: Path | None, *, size: int, from_store: bool = False) -> list[Shipped]:
    """The StylEx generators of `size` px under `models`, under weights/ without, those of coupled phantoms left out.

    Raises:
        ValueError: as `shipped_generators`; there is none; the figures of two would have the same names; `from_store`
            with a folder: only figures of the shipped ones are stored.
    """
    if models is not None and from_store:
        raise ValueError(f"only figures of shipped models are stored: to measure those in {models} leave --cached out")
    folder = models or SHIPPED_FOLDER
    found = [g for g in shipped_generators(folder) if g.size == size and not g.shortcut]
    if not found:
        raise ValueError(f"there is no StylEx generator of {size} px among the models in {folder}")
    for first, second in combinations(found, 2):
        if first.key == second.key:
            raise ValueError(
                f"the figures of {first.name!r} and {second.name!r} would both be called {first.key}: keep one of the "
                f"two in {folder}"
            )
    return found
