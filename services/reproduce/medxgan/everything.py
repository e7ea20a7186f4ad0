"""All experiments of seed 001 one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from services.reproduce.result import Reproduction, Row, plain

from .command import Wish
from .failures import failures
from .lig import lig_table
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
    """Every experiment, each stored by itself as its own command does; with `wish.from_store` all that are stored.

    Figures: theirs under their names. Rows: those of the experiments, `experiment` tells whose. Settings: theirs by
    name; `left_out` tells what could not be measured. `stale` where any is.

    Raises:
        ValueError, FileNotFoundError: as the experiments; with `wish.from_store` where one is not stored.
    """
    figures: dict[str, float] = {}
    rows: list[Row] = []
    settings: dict[str, Any] = {}
    left_out: dict[str, None] = {}
    stale, started = [], time.perf_counter()
    for i, (key, run) in enumerate(EXPERIMENTS.items()):

        def tell(share: float, message: str, begun: int = i, name: str = key) -> None:
            wish.progress((begun + share) / len(EXPERIMENTS), f"{name}: {message}")

        found = run(replace(wish, out=None, progress=tell))
        figures |= found["figures"]
        rows += [{"experiment": key} | row for row in found["rows"]]
        settings[key] = found["settings"]
        left_out |= dict.fromkeys(found["settings"]["left_out"])
        stale.append(bool(found.get("stale")))
    settings |= {"generators": settings["table1"]["generators"], "left_out": list(left_out)}
    result = Reproduction(NAME, figures, settings, round(time.perf_counter() - started, 2), rows=rows)
    return plain(result) | ({"stale": any(stale)} if wish.from_store else {})
