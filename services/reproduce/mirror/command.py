"""What every experiment does around its own work: columns, what is not here, storing, the picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL.Image import Image as Picture

from cfcore.engines.base import Progress, silent
from services.figures import cached, store
from services.reproduce.medxgan.drawing import stacked
from services.reproduce.result import Reproduction, Row, plain, results_folder, source_files

from .material import RIVALS, Entry, entries, strangers

HERE = "services/reproduce/mirror"
COMMON = (
    "cfcore/classifiers", "cfcore/engines/base.py", "cfcore/engines/mirror", "cfcore/generators/mirror/layers.py",
    "cfcore/generators/mirror/model.py", "cfcore/generators/mirror/view.py", "cfcore/images/arrays.py",
    "cfcore/images/phantom", "cfcore/images/splits.py", "cfcore/metrics/comparison.py", "cfcore/metrics/frechet.py",
    "cfcore/metrics/means.py", "cfcore/metrics/validity.py", "cfcore/mirror", "services/reproduce/material.py",
    "services/reproduce/medxgan/drawing.py", "services/reproduce/result.py", f"{HERE}/array_sets.py",
    f"{HERE}/columns.py", f"{HERE}/command.py", f"{HERE}/material.py", f"{HERE}/methods.py",
)  # fmt: skip
LATENT_RIVALS = (
    "cfcore/engines/c3lt", "cfcore/engines/drawn.py", "cfcore/engines/searched.py", "cfcore/generators/c3lt/model.py",
    "cfcore/generators/convolutional.py", "cfcore/generators/vae/model.py",
)  # fmt: skip
ALL_RIVALS = (
    *LATENT_RIVALS, "cfcore/engines/cem", "cfcore/engines/expgan", "cfcore/engines/pgd", "cfcore/engines/revise",
    "cfcore/engines/wachter", "cfcore/generators/expgan/model.py",
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """What one column adds: figures under their names, rows of the table, and its parts of the picture."""

    figures: dict[str, float]
    rows: list[Row]
    pictures: list[Picture] = field(default_factory=list, compare=False)


# Column's entry, progress within it, to what it adds.
Work = Callable[[Entry, Progress], Block]


@dataclass(frozen=True)
class Wish:
    """What a user asks of an experiment.

    Attributes:
        quick: a small part. from_store: the stored run instead. out: another file for the PNG.
        images: other number a column. models: a folder with models beside those under weights/. tune: choose every
            method's settings on validation images. lpips: folder with the published weights of LPIPS, for table 1.
    """

    quick: bool = False
    from_store: bool = False
    out: Path | None = None
    images: int | None = None
    models: Path | None = None
    tune: bool = True
    lpips: Path | None = None
    progress: Progress = silent

    @property
    def whole(self) -> bool:
        """As it is stored: nothing is left out or taken from elsewhere."""
        usual = self.images is None and self.models is None and self.lpips is None
        return usual and self.tune and not self.quick


def with_images(extent: Any, wish: Wish) -> Any:
    """An extent with the number of images that is asked for. Raises ValueError for none."""
    if wish.images is None:
        return extent
    if wish.images < 1:
        raise ValueError(f"images is {wish.images}: choose at least 1")
    return replace(extent, images=dict.fromkeys(extent.images, wish.images))


def chosen_entries(
    wish: Wish, sources: Sequence[str] = (), wanted: Callable[[Entry], bool] = lambda entry: True, why: str = ""
) -> list[Entry]:
    """The classifiers with decoders of some sources (all without) that an experiment can use.

    Raises:
        ValueError: as `entries`; none is as `wanted`, `why` then says what to do.
    """
    found = [e for e in entries(wish.models) if (not sources or e.source in sources) and wanted(e)]
    if not found:
        raise ValueError(
            why or f"no Mirror-CFE decoder of {' or '.join(sources)} is shipped: train one and put it there"
        )
    return found


def carry_out(
    name: str,
    modules: Sequence[str],
    extent: Any,
    here: Sequence[Entry],
    work: Work,
    wish: Wish,
    *,
    kinds: Sequence[str] = RIVALS,
    every: bool = False,
    sources: Sequence[str] = (),
    told: Mapping[str, Any] | None = None,
    absent: Sequence[str] = (),
) -> dict[str, Any]:
    """Do the work of every column whose images are here; store a whole run with its picture.

    Args:
        name: of the stored figures. modules: file names of the experiment, and `sources`: further files, which make
            its figures stale where they change. extent: a dataclass, told in the settings.
        told: more settings.
        kinds: of rivals' networks that take part; those that are absent are told in the settings (`absent`, beside what
            the caller says is), and make the stored run stale once they are there. every: all decoders take part.

    Raises:
        FileNotFoundError: `wish.from_store`, and nothing is kept.
    """
    inputs = {key: value for entry in here for key, value in entry.inputs(kinds, every=every).items()}
    if wish.from_store:
        return cached(name, inputs)
    left_out = [reason for entry in here if (reason := entry.missing())]
    left_out += strangers(wish.models) if wish.models else []
    usable = [entry for entry in here if not entry.missing()]
    figures: dict[str, float] = {}
    rows: list[Row] = []
    pictures: list[Picture] = []
    started = time.perf_counter()
    for i, entry in enumerate(usable):

        def tell(share: float, message: str, begun: int = i) -> None:
            wish.progress((begun + share) / len(usable), message)

        block = work(entry, tell)
        figures |= block.figures
        rows += block.rows
        pictures += block.pictures
    settings = (
        asdict(extent)
        | dict(told or {})
        | {
            "columns": [entry.classifier.name for entry in usable],
            "left_out": left_out,
            "absent": [reason for entry in usable for reason in entry.absent_of(kinds)] + list(absent),
        }
    )
    result = Reproduction(name, figures, settings, round(time.perf_counter() - started, 2), rows=rows)
    stored = wish.whole and not left_out
    if stored:
        store(result, inputs, source_files((*COMMON, *(f"{HERE}/{module}" for module in modules), *sources)))
    path = wish.out or (results_folder() / f"{name}.png" if stored and pictures else None)
    if path is not None and pictures:
        path.write_bytes(stacked(pictures))
    return plain(result) | {"picture": str(path) if path and pictures else None}
