"""What every experiment does around its own work: columns, storing, the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL.Image import Image as Picture

from cfcore.engines.base import Progress, silent
from services.reproduce.material import Shipped
from services.reproduce.result import Part, Row, keep, plain, recall, reproduce, results_folder

from .drawing import stacked
from .material import Column, column_of, shipped_medxgan

HERE = "services/reproduce/medxgan"
COMMON = (
    "cfcore/attribution", "cfcore/classifiers", "cfcore/engines/base.py", "cfcore/engines/medxgan",
    "cfcore/engines/remembered.py", "cfcore/generators/medxgan", "cfcore/images/brain", "cfcore/images/phantom",
    "cfcore/metrics", "cfcore/study/intervals.py", "cfcore/study/resampling.py", "cfcore/training/folding.py",
    "services/reproduce/brains.py", "services/reproduce/material.py", "services/reproduce/result.py",
    f"{HERE}/command.py", f"{HERE}/drawing.py", f"{HERE}/maps.py", f"{HERE}/material.py",
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """What one column adds: figures under their names, rows of the table, and its part of the picture."""

    figures: dict[str, float]
    rows: list[Row]
    picture: Picture | None = field(default=None, compare=False)


# Column, progress within it, to what it adds.
Work = Callable[[Column, Progress], Block]


@dataclass(frozen=True)
class Wish:
    """What a user asks of an experiment: a quick run, the stored one instead, another file for the PNG."""

    quick: bool = False
    from_store: bool = False
    out: Path | None = None
    progress: Progress = silent


def carry_out(name: str, module: str, extent: Any, work: Work, wish: Wish, *, usual: bool = True) -> dict[str, Any]:
    """Do the work of every column whose images are here; store a full run of the usual extent with its picture.

    Args:
        name: of the stored figures. module: file name of the experiment, which makes its figures stale where it
            changes. extent: a dataclass, told in the settings. usual: else nothing is stored, as in a quick run.

    Raises:
        ValueError: no generator is shipped. FileNotFoundError: `wish.from_store`, and nothing is kept.
    """
    generators = shipped_medxgan()
    if wish.from_store:
        return recall(name, generators)
    pictures: list[Picture] = []

    def together(here: Sequence[Shipped]) -> Part:
        figures: dict[str, float] = {}
        rows: list[Row] = []
        for i, shipped in enumerate(here):

            def tell(share: float, message: str, begun: int = i) -> None:
                wish.progress((begun + share) / len(here), message)

            block = work(column_of(shipped, generators), tell)
            figures |= block.figures
            rows += block.rows
            if block.picture is not None:
                pictures.append(block.picture)
        return Part(figures, rows)

    result = reproduce(name, generators, asdict(extent), together)
    stored = usual and not wish.quick and not result.settings["left_out"]
    if stored:
        keep(result, generators, (*COMMON, f"{HERE}/{module}"))
    path = wish.out or (results_folder() / f"{name}.png" if stored and pictures else None)
    if path is not None and pictures:
        path.write_bytes(stacked(pictures))
    return plain(result) | {"picture": str(path) if path and pictures else None}
