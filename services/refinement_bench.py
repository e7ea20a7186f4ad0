"""What refining each image's code is worth: reconstruction, class kept, flips, and the degree that most images need."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.base import Progress, silent
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.engines.measure import suggest_degree
from cfcore.generators.stylex import StylEx
from cfcore.metrics.explained import walk_directions
from services.figures import Figures, cached, measured, store
from services.reproduce.material import TARGET_CLASS, missing_data, shipped_generators, source_images
from services.reproduce.result import inputs_of, source_files

NAME = "bench-refinement"
BATCH = 16
SOURCES = (
    "cfcore/classifiers/base.py", "cfcore/classifiers/densenet.py", "cfcore/engines/attfind", "cfcore/engines/base.py",
    "cfcore/engines/codes.py", "cfcore/engines/eigenfind", "cfcore/engines/first_order.py", "cfcore/engines/transfer",
    "cfcore/generators/layers.py", "cfcore/generators/stylex", "cfcore/images/phantom", "cfcore/metrics",
    "services/refinement_bench.py", "services/reproduce/material.py",
)  # fmt: skip


@dataclass(frozen=True)
class Extent:
    """Images on which directions are ranked, images explained, optimiser steps compared; scan, k, d of the search,
    which is a race."""

    rank: int = 32
    test: int = 64
    steps: tuple[int, ...] = (0, 30, 60)
    scan: int = 20
    k: int = 8
    degree: float = 10.0
    every: bool = True

    def config(self, steps: int) -> EigenFindConfig:
        return EigenFindConfig(scan=self.scan, k=self.k, degree=self.degree, race=3.0, refine=steps)


QUICK = Extent(rank=4, test=4, steps=(0, 5), scan=4, k=2, every=False)


def bench_refinement(quick: bool = False, *, from_store: bool = False, progress: Progress = silent) -> dict[str, Any]:
    """Search and explain held-out images of every shipped 64 px generator with and without refined codes.

    Figures, at their end the number of steps and the generator's key: l1 (reconstruction), kept (share of images whose
    class the reconstruction keeps), gap (mean |p(x^) - p(x)|), explained (of those kept, plain rendering, criteria of
    `reproduce eigenfind-table1`), raw (share of all images that some kept pair flips), explained_transfer and
    raw_transfer (detail transfer), moved_l1 (mean |x' - x^| of the explained), degree (the smallest at which 90 % of
    the images of the search flip, `suggest_degree`, in plain rendering) and degree_l1 (mean |x' - x^| there), both left
    out where d flips fewer; ms (an image's code). A full run is stored.

    Raises:
        FileNotFoundError: `from_store`, and nothing is kept.
    """
    generators = [g for g in shipped_generators() if g.size == 64 and not g.shortcut]
    if from_store:
        return cached(NAME, inputs_of(generators))
    extent = QUICK if quick else Extent()
    here = [g for g in generators if not missing_data(g)]
    absent = [reason for g in generators if (reason := missing_data(g))]

    def work() -> dict[str, float]:
        figures: dict[str, float] = {}
        for i, shipped in enumerate(here if extent.every else here[:1]):
            classifier, generator = shipped.load()
            rank, test = (
                source_images(shipped, classifier, part, most).images  # type: ignore[arg-type]
                for part, most in (("rank", extent.rank), ("test", extent.test))
            )
            for steps in extent.steps:
                progress(i / len(here), f"{shipped.key}, {steps} steps")
                found = refined(classifier, generator, rank, test, extent.config(steps))
                figures |= {f"{name}_{steps}_{shipped.key}": value for name, value in found.items()}
        return figures

    result: Figures = measured(NAME, asdict(extent) | {"left_out": absent}, work)
    if not quick and not absent:
        store(result, inputs_of(generators), source_files(SOURCES))
    return asdict(result)


@torch.no_grad()
def refined(
    classifier: Classifier, generator: StylEx, rank: Tensor, test: Tensor, config: EigenFindConfig
) -> dict[str, float]:
    """The figures of one number of steps, on (n, channels, *size) images that C does not call the target."""
    engine = EigenFind.fit(classifier, rank, TARGET_CLASS, config, generator=generator)
    started = time.perf_counter()
    codes = torch.cat([engine.encode(chunk, TARGET_CLASS) for chunk in test.split(BATCH)])
    seconds = time.perf_counter() - started
    pairs = zip(codes.split(BATCH), test.split(BATCH), strict=True)
    drawn = torch.cat([engine.draw(code, images, {}, TARGET_CLASS) for code, images in pairs])
    before, after = (engine.probability(images, TARGET_CLASS) for images in (test, drawn))
    figures = {
        "l1": (drawn - test).abs().mean().item(),
        "gap": (after - before).abs().mean().item(),
        "ms": 1000 * seconds / len(test),
    }
    kept = [entry for entry in engine.directions() if entry.kept]
    walks = walk_directions(engine, test, TARGET_CLASS, kept, config.degree)
    for rendering, end in (("plain", ""), ("detail transfer", "_transfer")):
        walk = walks[rendering]  # type: ignore[index]
        explained, faithful = walk.counts
        figures[f"raw{end}"] = walk.flipped.double().mean().item()
        if faithful:
            figures[f"explained{end}"] = explained / faithful
    figures["kept"] = walks["plain"].faithful.double().mean().item()
    if walks["plain"].explained.any():
        figures["moved_l1"] = walks["plain"].l1[walks["plain"].explained].mean().item()
    degree = suggest_degree(engine, rank, TARGET_CLASS, rendering="plain")
    if degree is not None:
        figures |= {"degree": degree, "degree_l1": _moved_l1(engine, rank, degree)}
    return figures


def _moved_l1(engine: EigenFind, images: Tensor, degree: float) -> float:
    """Mean |x' - x^| of images moved by `degree` along the direction that explains each; those that none does are left
    out."""
    names = engine.explain(images, TARGET_CLASS, rendering="plain").direction
    distances = []
    for name in dict.fromkeys(filter(None, names)):
        rows = torch.tensor([i for i, own in enumerate(names) if own == name])
        found = engine.move(images[rows], TARGET_CLASS, direction=name, degree=degree, rendering="plain")
        distances.append((found.counterfactual - found.reconstruction).abs().flatten(1).mean(dim=1))
    return torch.cat(distances).mean().item()
