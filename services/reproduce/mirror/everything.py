"""All experiments of seed 004 one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .command import Wish
from .table1 import table1

NAME = "reproduce-mirror"
EXPERIMENTS: Mapping[str, Callable[[Wish], dict[str, Any]]] = {"table1": table1}


def mirror(wish: Wish) -> dict[str, Any]:
    return table1(wish)
