"""All experiments of seed 004 one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from services.reproduce.result import Reproduction, Row, plain

from .command import Wish, chosen_entries
from .confidence import confidence
from .figure6 import figure6
from .rivals import rivals
from .table1 import table1
from .table4 import table4
from .variants import table2, table3, table5, table6

NAME = "reproduce-mirror"
EXPERIMENTS: Mapping[str, Callable[[Wish], dict[str, Any]]] = {
    "table1": table1,
    "confidence": confidence,
    "table2": table2,
    "table3": table3,
    "table4": table4,
    "table5": table5,
    "table6": table6,
    "figure6": figure6,
    "rivals": rivals,
}


def mirror(wish: Wish) -> dict[str, Any]:
    """Every experiment whose networks are here, each stored by itself as its own command does; with `wish.from_store`
    every one that is stored.

    Figures: theirs under their names. Rows: those of the experiments, `experiment` tells whose. Settings: theirs by
    name; `left_out` tells which could not be made and why. `stale` where any is.

    Raises:
        ValueError: as `chosen_entries`. FileNotFoundError: `wish.from_store`, and none is kept.
    """
    chosen_entries(wish)
    figures: dict[str, float] = {}
    rows: list[Row] = []
    settings: dict[str, Any] = {}
    left_out: list[str] = []
    stale, started = [], time.perf_counter()
    for i, (key, run) in enumerate(EXPERIMENTS.items()):

        def tell(share: float, message: str, begun: int = i, name: str = key) -> None:
            wish.progress((begun + share) / len(EXPERIMENTS), f"{name}: {message}")

        try:
            found = run(replace(wish, out=None, progress=tell))
        except (ValueError, FileNotFoundError) as error:
            left_out.append(f"{key}: {error}")
            continue
        figures |= found["figures"]
        rows += [{"experiment": key} | row for row in found["rows"]]
        settings[key] = found["settings"]
        left_out += [f"{key}: {reason}" for reason in found["settings"]["left_out"]]
        stale.append(bool(found.get("stale")))
    if wish.from_store and not settings:
        raise FileNotFoundError(f"no stored figures for {NAME!r}: run the command once without --cached")
    absent = settings.get("table1", {}).get("absent", [])
    settings |= {"left_out": left_out, "absent": absent}
    result = Reproduction(NAME, figures, settings, round(time.perf_counter() - started, 2), rows=rows)
    return plain(result) | ({"stale": any(stale)} if wish.from_store else {})
