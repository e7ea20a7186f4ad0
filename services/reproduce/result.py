"""A reproduced table or figure: its figures, its rows, and what they depend on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cfcore.study.estimate import Estimate
from services.figures import RESULTS, ROOT, Figures, cached, store
from services.reproduce.material import Shipped, data_hash, missing_data

Row = dict[str, Any]


@dataclass(frozen=True)
class Reproduction(Figures):
    """Figures of a `reproduce` command and the rows of its table."""

    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """What one generator adds: figures under their names, rows of the table."""

    figures: dict[str, float]
    rows: list[Row]


def inputs_of(generators: Sequence[Shipped]) -> dict[str, str]:
    """Hashes of weights and data behind a reproduction."""
    return {key: value for g in generators for key, value in (g.inputs | data_hash(g)).items()}


def reproduce(
    name: str, generators: Sequence[Shipped], settings: dict[str, Any], work: Callable[[Sequence[Shipped]], Part]
) -> Reproduction:
    """Do the work on the generators whose images are here; `settings` tell which those were and which were left out."""
    here = [g for g in generators if not missing_data(g)]
    absent = [reason for g in generators if (reason := missing_data(g))]
    started = time.perf_counter()
    part = work(here)
    seconds = round(time.perf_counter() - started, 2)
    settings = settings | {"generators": [g.name for g in here], "left_out": absent}
    return Reproduction(name, part.figures, settings, seconds, rows=part.rows)


def keep(result: Reproduction, generators: Sequence[Shipped], sources: Sequence[str]) -> None:
    """Store a full run under benchmarks/results/, unless something had to be left out."""
    if not result.settings["left_out"]:
        store(result, inputs_of(generators), source_files(sources))


def recall(name: str, generators: Sequence[Shipped]) -> dict[str, Any]:
    """The stored object with `stale`. Raises FileNotFoundError where nothing is stored."""
    return cached(name, inputs_of(generators))


def results_folder() -> Path:
    """Where pictures lie beside the figures."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    return RESULTS


def source_files(sources: Sequence[str]) -> list[Path]:
    """The files of folders and files under the project's root, for `services.figures.store`."""
    found: list[Path] = []
    for source in sources:
        path = ROOT / source
        found += [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.glob("*.safetensors")])
    return found


def spread(name: str, estimate: Estimate) -> dict[str, float]:
    """An estimate as figures `name`, `name_low`, `name_high`; nothing where undefined, since a figure is a number."""
    parts = {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return {key: float(value) for key, value in parts.items() if value is not None}


def plain(result: Reproduction) -> dict[str, Any]:
    """The object that a command prints."""
    return asdict(result)
