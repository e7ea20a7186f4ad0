"""Table 1 of seed 000: share of images explained and search time, EigenFind against AttFind."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.attfind import AttFind, AttFindConfig
from cfcore.engines.base import Engine, NamedDirection, Progress, silent
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.generators.stylex import StylEx
from cfcore.metrics.explained import Walk, best_directions, walk_directions
from cfcore.metrics.validity import Criteria, classes_of
from cfcore.rendering import Rendering
from cfcore.study.intervals import wilson
from services.reproduce.elsewhere import measured_generators
from services.reproduce.material import (
    TARGET_CLASS,
    Shipped,
    evenly,
    source_images,
    training_images,
)
from services.reproduce.result import Part, Row, keep, plain, recall, reproduce, spread
from services.reproduce.subsets import walk_subsets

NAME = "reproduce-eigenfind-table1"
SOURCES = (
    "cfcore/classifiers/base.py", "cfcore/classifiers/densenet.py", "cfcore/engines/attfind", "cfcore/engines/base.py",
    "cfcore/engines/codes.py", "cfcore/engines/eigenfind", "cfcore/engines/first_order.py", "cfcore/engines/transfer",
    "cfcore/generators/layers.py", "cfcore/generators/stylex", "cfcore/images/phantom", "cfcore/metrics",
    "services/reproduce/elsewhere.py", "services/reproduce/material.py", "services/reproduce/result.py",
    "services/reproduce/subsets.py", "services/reproduce/table1.py",
)  # fmt: skip
# Share explained in the paper, 600 CheXpert images each, 256 px: (EigenFind, AttFind); 5 minutes against 12 hours.
PAPER: Mapping[str, tuple[float, float]] = {
    "atelectasis": (0.94, 0.94), "cardiomegaly": (0.95, 0.96), "effusion": (0.91, 0.94),
}  # fmt: skip
SCANS = (20, 8)
RENDERINGS: tuple[Rendering, ...] = ("plain", "detail transfer")
SUFFIX: Mapping[Rendering, str] = {"plain": "", "detail transfer": "_transfer"}
ENDS: Mapping[str, str] = {
    "eigenfind scan 20": "",
    "eigenfind scan 8": "_scan8",
    "eigenfind balanced": "_balanced",
    "attfind exhaustive": "_attfind",
    "attfind pre-ranked": "_attfind_preranked",
    "attfind exhaustive, subset": "_attfind_subset",
    "attfind pre-ranked, subset": "_attfind_preranked_subset",
}


@dataclass(frozen=True)
class Extent:
    """How much is done for each generator.

    Attributes:
        test: images to explain, at most; attfind_test: of these, explained by AttFind, which takes more drawings.
        rank: images of another split on which directions are ranked.
        exhaustive: of these, images on which AttFind searches all 2 m pairs; 0 for none.
        verified: share of the pairs that pre-ranked AttFind draws, on all `rank` images. k, degree: the paper's.
        every: all generators, or the first of each source only.
    """

    test: int = 600
    attfind_test: int = 200
    rank: int = 100
    exhaustive: int = 4
    verified: float = 0.02
    k: int = 8
    degree: float = 10.0
    every: bool = True


QUICK = Extent(test=12, rank=4, exhaustive=0, verified=0.004, every=False)


def table1(
    quick: bool = False,
    *,
    from_store: bool = False,
    exhaustive: int | None = None,
    models: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Explain held-out healthy images of every shipped generator with both algorithms.

    Explained: C(x) = C(x^) = s; some kept pair gives C(x') = t, also under a Gaussian of 1 px, with L1 to the picture
    at degree 0 of at most 0.10. Denominator: images whose reconstruction keeps s. Pairs are ranked on other images.

    Figures, per generator key: explained_* (EigenFind, scan 20, plain rendering) with _low and _high (Wilson), the same
    with `_transfer` (detail transfer), `_scan8`, `_attfind` (all pairs searched on `exhaustive` images),
    `_attfind_preranked`, both with `_subset` (several kept pairs together instead of the first that does it alone),
    `_balanced` (scan 20, basis "balanced"); raw_* (share of all images that some kept pair flips at all), steady_* and
    near_* (share explained if only the blur, or only the L1, were asked beyond the flip), dropped_* (share of all
    images whose reconstruction changes class), tried_*, blur_keeps_* (share of the untouched sources whose class
    survives the blur), n_*. Over all: explained_phantom_min (and `_balanced`), explained_ucsd, attfind_lead (and
    `_balanced`: the most points, over the generators, by which exhaustive AttFind in subset selection explains more
    than EigenFind), search_time_ratio (exhaustive AttFind's seconds an image over EigenFind's, the mean over
    generators), pass_ratio (m / scan). Seconds for all images are extrapolated where fewer were searched:
    attfind_search_s_extrapolated_*, eigenfind_search_s_extrapolated_*. A full run is stored.

    Args:
        exhaustive: other number of images than 4 for exhaustive AttFind.
        models: a folder with models that are measured in the place of those under weights/; nothing is stored then.

    Raises:
        ValueError: no generator is shipped, or `models` holds none. FileNotFoundError: `from_store`, and nothing is
            kept.
    """
    generators = measured_generators(models, size=64, from_store=from_store)
    if from_store:
        return recall(NAME, generators)
    extent = QUICK if quick else Extent()
    if exhaustive is not None:
        extent = Extent(**(asdict(extent) | {"exhaustive": exhaustive}))
    chosen = generators if extent.every else list({g.source: g for g in reversed(generators)}.values())
    settings = asdict(extent) | {"criteria": asdict(Criteria()), "scans": list(SCANS), "size": 64}

    def work(here: Sequence[Shipped]) -> Part:
        parts = []
        for i, shipped in enumerate(here):
            progress(i / len(here), shipped.name)
            parts.append(explain_generator(shipped, extent))
        return together(here, parts)

    result = reproduce(NAME, chosen, settings, work)
    if not quick and models is None:
        keep(result, generators, SOURCES)
    return plain(result)


def together(generators: Sequence[Shipped], parts: Sequence[Part]) -> Part:
    """All generators' figures and rows, with those over all of them."""
    figures: dict[str, float] = {}
    for part in parts:
        figures |= part.figures
    # Where no reconstruction keeps its class there is no share: nothing was explained.
    phantoms = [figures.get(f"explained_{g.key}", 0.0) for g in generators if g.source == "phantom"]
    ratios = [figures[name] for g in generators if (name := f"search_time_ratio_{g.key}") in figures]
    passes = [figures[f"pass_ratio_{g.key}"] for g in generators]
    over = {}
    if phantoms:
        over["explained_phantom_min"] = min(phantoms)
        balanced = [figures.get(f"explained_{g.key}_balanced", 0.0) for g in generators if g.source == "phantom"]
        over["explained_phantom_min_balanced"] = min(balanced)
    for end in ("", "_balanced"):
        leads = [
            figures[other] - figures.get(f"explained_{g.key}{end}", 0.0)
            for g in generators
            if (other := f"explained_{g.key}_attfind_subset") in figures
        ]
        if leads:
            over[f"attfind_lead{end}"] = 100 * max(leads)
    if ratios:
        over["search_time_ratio"] = sum(ratios) / len(ratios)
    if passes:
        over["pass_ratio"] = sum(passes) / len(passes)
    return Part(over | figures, [row for part in parts for row in part.rows])


def explain_generator(shipped: Shipped, extent: Extent) -> Part:
    """Both algorithms on the held-out images of one generator."""
    classifier, generator = shipped.load()
    rank = source_images(shipped, classifier, "rank", extent.rank).images
    test = source_images(shipped, classifier, "test", extent.test).images
    return compare(shipped.key, classifier, generator, rank, test, training_images(shipped), extent)


@dataclass(frozen=True)
class Way:
    """An algorithm after its search: the engine, the directions to walk and their degree, and what the search cost.
    `joint`: an image moves along several of them together (subset selection)."""

    name: str
    engine: Engine
    directions: list[NamedDirection]
    degree: float
    seconds_an_image: float
    searched: int
    joint: bool = False

    def walk(self, images: Tensor) -> Mapping[Rendering, Walk]:
        """Explain images under every rendering."""
        if self.joint:
            assert isinstance(self.engine, AttFind)
            return walk_subsets(self.engine, images, TARGET_CLASS, self.directions, self.degree, renderings=RENDERINGS)
        return walk_directions(self.engine, images, TARGET_CLASS, self.directions, self.degree, renderings=RENDERINGS)


def compare(
    key: str,
    classifier: Classifier,
    generator: StylEx,
    rank: Tensor,
    test: Tensor,
    training: Tensor,
    extent: Extent,
) -> Part:
    """Search on `rank`, explain `test`, both (n, 1, size, size) images that C gives class 0; `training`: images of both
    classes, over which AttFind takes the ends of its coordinates."""
    ways = searched(classifier, generator, rank, training, extent)
    blur = (classes_of(classifier, test, Criteria().blur) == 0).double().mean().item()
    figures = {f"n_{key}": float(len(test)), f"blur_keeps_{key}": blur}
    rows: list[Row] = []
    for way in ways:
        images = test if way.name.startswith("eigenfind") else evenly(test, extent.attfind_test)
        for rendering, walk in way.walk(images).items():
            row = _row(key, way, rendering, walk)
            rows.append(row)
            figures |= _named(key, way, rendering, walk)
        if way.name in ("eigenfind scan 20", "eigenfind balanced"):
            figures |= _apart(key, way, images)
    return Part(figures | _times(key, ways, generator, len(test)), rows)


def searched(classifier: Classifier, generator: StylEx, rank: Tensor, training: Tensor, extent: Extent) -> list[Way]:
    """EigenFind at both scans (one search: each pair is scored by itself) and along balanced directions, AttFind
    exhaustive and pre-ranked, each in both selections."""
    config = EigenFindConfig(scan=max(SCANS), k=extent.k, degree=extent.degree)
    eigen, seconds = _timed(lambda: EigenFind.fit(classifier, rank, TARGET_CLASS, config, generator=generator))
    each = seconds / len(rank)
    ways = [
        Way(
            f"eigenfind scan {scan}",
            eigen,
            best_directions(eigen.directions(), scan, extent.k),
            extent.degree,
            each * scan / max(SCANS),
            len(rank),
        )
        for scan in SCANS
    ]
    balanced = replace(config, basis="balanced")
    other, seconds = _timed(lambda: EigenFind.fit(classifier, rank, TARGET_CLASS, balanced, generator=generator))
    kept = best_directions(other.directions(), max(SCANS), extent.k)
    ways.append(Way("eigenfind balanced", other, kept, extent.degree, seconds / len(rank), len(rank)))
    if extent.exhaustive:
        some = evenly(rank, extent.exhaustive)
        ways += _attfind("attfind exhaustive", classifier, generator, some, training, AttFindConfig(k=extent.k))
    fewer = AttFindConfig(k=extent.k, verified=extent.verified)
    return ways + _attfind("attfind pre-ranked", classifier, generator, rank, training, fewer)


def _attfind(
    name: str, classifier: Classifier, generator: StylEx, images: Tensor, training: Tensor, config: AttFindConfig
) -> list[Way]:
    """One search, both selections."""
    engine, seconds = _timed(
        lambda: AttFind.fit(classifier, images, TARGET_CLASS, config, generator=generator, training=training)
    )
    kept = [d for d in engine.directions() if d.kept]
    alone = Way(name, engine, kept, config.degree, seconds / len(images), len(images))
    return [alone, replace(alone, name=f"{name}, subset", joint=True)]


def _timed(fit: Any) -> tuple[Any, float]:
    started = time.perf_counter()
    engine = fit()
    return engine, time.perf_counter() - started


def _row(key: str, way: Way, rendering: Rendering, walk: Walk) -> Row:
    explained, faithful = walk.counts
    share, n = wilson(explained, faithful), len(walk.faithful)
    paper = PAPER.get(key)
    anchor = None if paper is None else paper[0 if way.name.startswith("eigenfind") else 1]
    return {
        "generator": key,
        "algorithm": way.name,
        "rendering": rendering,
        "n": n,
        "faithful": faithful,
        "explained": explained,
        "share": share.value,
        "low": share.low,
        "high": share.high,
        "raw": walk.flipped.double().mean().item(),
        "dropped": 1 - faithful / n,
        "tried": _tried(walk),
        "l1": _mean(walk.l1),
        "searched_on": way.searched,
        "directions": [d.name for d in way.directions],
        "paper": anchor,
    }


def _tried(walk: Walk) -> float | None:
    return _mean(walk.tried[walk.explained].double())


def _mean(values: Tensor) -> float | None:
    known = values[~values.isnan()]
    return known.mean().item() if len(known) else None


def _named(key: str, way: Way, rendering: Rendering, walk: Walk) -> dict[str, float]:
    algorithm = ENDS[way.name]
    end = f"{key}{algorithm}{SUFFIX[rendering]}"
    figures = spread(f"explained_{end}", wilson(*walk.counts))
    figures[f"raw_{end}"] = walk.flipped.double().mean().item()
    if not algorithm:
        figures[f"dropped_{key}"] = 1 - walk.counts[1] / len(walk.faithful)
        if (tried := _tried(walk)) is not None:
            figures[f"tried_{end}"] = tried
    return figures


def _apart(key: str, way: Way, images: Tensor) -> dict[str, float]:
    """Share explained, in plain rendering, if only one of the two criteria beyond the flip were asked."""
    figures = {}
    for name, criteria in (("steady", replace(Criteria(), most_l1=1.0)), ("near", replace(Criteria(), blur=0.0))):
        walks = walk_directions(
            way.engine, images, TARGET_CLASS, way.directions, way.degree, criteria=criteria, renderings=("plain",)
        )
        if (share := wilson(*walks["plain"].counts).value) is not None:
            figures[f"{name}_{key}{ENDS[way.name]}"] = share
    return figures


def _times(key: str, ways: Sequence[Way], generator: StylEx, n: int) -> dict[str, float]:
    """Seconds for all n images, by extrapolation from those searched, and the two ratios."""
    by_name = {way.name: way for way in ways}
    eigen = by_name[f"eigenfind scan {max(SCANS)}"]
    figures = {
        f"pass_ratio_{key}": generator.style_dimension / max(SCANS),
        f"eigenfind_search_s_extrapolated_{key}": eigen.seconds_an_image * n,
        f"attfind_preranked_search_s_extrapolated_{key}": by_name["attfind pre-ranked"].seconds_an_image * n,
    }
    if (whole := by_name.get("attfind exhaustive")) is not None:
        figures[f"attfind_search_s_extrapolated_{key}"] = whole.seconds_an_image * n
        figures[f"search_time_ratio_{key}"] = whole.seconds_an_image / eigen.seconds_an_image
    return figures
