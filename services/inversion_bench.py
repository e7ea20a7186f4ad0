"""How long medXGAN's inversion takes with several restarts, and what they are worth."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import torch

from cfcore.engines.base import Progress, silent
from cfcore.generators.medxgan.inversion import Search, invert
from services.figures import cached, measured, store
from services.reproduce.material import evenly, missing_data
from services.reproduce.medxgan.command import COMMON
from services.reproduce.medxgan.material import Column, column_of, shipped_medxgan
from services.reproduce.result import inputs_of, source_files

NAME = "bench-inversion"
PAPER_STEPS = 10_000
SEED = 4


@dataclass(frozen=True)
class Extent:
    """Held-out images from which those searched are taken evenly, starts an image; images to which time is
    extrapolated."""

    pool: int = 400
    images: int = 20
    restarts: int = 5
    asked: int = 100


QUICK = Extent(pool=8, images=2, restarts=2)


def bench_inversion(quick: bool = False, *, from_store: bool = False, progress: Progress = silent) -> dict[str, Any]:
    """Invert held-out images of every shipped generator from N(0, I), all images and restarts in one batch, each start
    ending on its plateau.

    Figures, at their end the column (phantom, ucsd, mri): seconds, seconds_100 (of 100 images, EXTRAPOLATED from the
    seconds an image: what starts cost does not depend on how many there are), ms_step (a step of one start), steps (a
    start, mean), steps_most, steps_saved (share of the paper's 10,000), mse_best (best start of each image, mean),
    mse_mean (all starts). Settings: `extrapolated` names those. A full run is stored.

    Raises:
        ValueError: no generator is shipped. FileNotFoundError: `from_store`, and nothing is kept.
    """
    generators = shipped_medxgan()
    if from_store:
        return cached(NAME, inputs_of(generators))
    extent = QUICK if quick else Extent()
    here = [g for g in generators if not missing_data(g)]
    absent = [reason for g in generators if (reason := missing_data(g))]
    columns = [column_of(shipped, generators) for shipped in here]
    extrapolated = [f"seconds_{extent.asked}_{column.name}" for column in columns]

    def work() -> dict[str, float]:
        figures: dict[str, float] = {}
        for i, column in enumerate(columns):

            def tell(share: float, message: str, begun: int = i, name: str = column.name) -> None:
                progress((begun + share) / len(columns), f"{name}, {message}")

            figures |= {f"{name}_{column.name}": value for name, value in searched(column, extent, tell).items()}
        return figures

    told = {"threads": torch.get_num_threads(), "extrapolated": extrapolated, "left_out": absent}
    result = measured(NAME, asdict(extent) | told, work)
    if not quick and not absent:
        store(result, inputs_of(generators), source_files((*COMMON, "services/inversion_bench.py")))
    return asdict(result)


def searched(column: Column, extent: Extent, progress: Progress) -> dict[str, float]:
    """The figures of one column."""
    images = evenly(column.held_out(extent.pool).images, extent.images)
    search = Search(PAPER_STEPS, restarts=extent.restarts, seed=SEED)
    started = time.perf_counter()
    found = invert(column.generator, column.classifier, images, search, progress)
    seconds = time.perf_counter() - started
    steps = found.steps.double()
    return {
        "seconds": seconds,
        f"seconds_{extent.asked}": seconds / len(images) * extent.asked,
        "ms_step": 1000 * seconds / steps.sum().item(),
        "steps": steps.mean().item(),
        "steps_most": steps.max().item(),
        "steps_saved": 1 - steps.mean().item() / PAPER_STEPS,
        "mse_best": found.mse[:, 0].mean().item(),
        "mse_mean": found.mse.mean().item(),
    }
