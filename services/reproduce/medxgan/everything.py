"""All experiments of seed 001 one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from services.reproduce.result import Reproduction, Row, keep, plain, recall

from .command import COMMON, HERE, Wish
from .failures import failures
from .lig import lig_table
from .material import shipped_medxgan
from .monotone import monotone
from .table1 import table1
from .table2 import table2
from .table3 import table3

NAME = "reproduce-medxgan"
EXPERIMENTS: Mapping[str, Callable[[Wish], dict[str, Any]]] = {
    "table1": table1,
    "table2": table2,
    "lig": lig_table,
    "table3": table3,
    "monotone": monotone,
    "failures": failures,
}


def medxgan(wish: Wish) -> dict[str, Any]:
    """Every experiment, each stored by itself as its own command does, and all figures together.

    Rows: those of the experiments, `experiment` tells whose. Settings: theirs by name.

    Raises:
        ValueError, FileNotFoundError: as the experiments.
    """
    generators = shipped_medxgan()
    if wish.from_store:
        return recall(NAME, generators)
    figures: dict[str, float] = {}
    rows: list[Row] = []
    settings: dict[str, Any] = {}
    started = time.perf_counter()
    for i, (key, run) in enumerate(EXPERIMENTS.items()):

        def tell(share: float, message: str, begun: int = i, name: str = key) -> None:
            wish.progress((begun + share) / len(EXPERIMENTS), f"{name}: {message}")

        found = run(replace(wish, out=None, progress=tell))
        figures |= found["figures"]
        rows += [{"experiment": key} | row for row in found["rows"]]
        settings[key] = found["settings"]
    settings |= {name: settings["table1"][name] for name in ("generators", "left_out")}
    result = Reproduction(NAME, figures, settings, round(time.perf_counter() - started, 2), rows=rows)
    if not wish.quick:
        keep(result, generators, (*COMMON, HERE))
    return plain(result)
