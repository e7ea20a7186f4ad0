"""EigenFind against Algorithm 1 taken literally, the authors' way, and the physical limit, in one process."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier, target_margin
from cfcore.classifiers.store import load_classifier
from cfcore.engines.base import Progress
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.engines.eigenfind.basis import eigenvectors
from cfcore.engines.eigenfind.cost import Passes, search_passes
from cfcore.engines.eigenfind.naive import Outcome, algorithm_1, as_public_code
from cfcore.generators.stylex import StylEx
from cfcore.generators.stylex.model import load_stylex
from cfcore.generators.stylex.prepared import prepared
from cfcore.images.phantom import build_dataset, render
from services.figures import ROOT, Figures, cached, measured, store
from services.models import SHIPPED_FOLDER
from services.network_speed import network_speed
from services.race_draws import over_draws
from services.reproduce.material import Shipped, missing_data, shipped_generators, source_images
from services.reproduce.result import inputs_of
from services.turns import in_turns

NAME = "bench-eigenfind"
GENERATOR, CLASSIFIER = "phantom-cardiomegaly-stylex", "phantom-cardiomegaly-classifier"
SEED, SIZE, TARGET = 77, 64, 1
TIE = 1e-4
SOURCES = (
    "cfcore/classifiers",
    "cfcore/engines/eigenfind",
    "cfcore/generators",
    "services/eigenfind_bench.py",
    "services/network_speed.py",
    "services/race_draws.py",
    "services/turns.py",
)


@dataclass(frozen=True)
class Extent:
    """Images searched (64: what a run ranks on unless told otherwise), the full search, the short one (a `race` by so
    many standard errors), the one by first-order effects (`shortlist` candidates, one halving), `draws` image sets out
    of a `pool` on which the short ways are held against the full one (of every shipped generator, or of the first
    phantom's only), rounds of timing the networks alone."""

    images: int = 64
    scan: int = 20
    k: int = 8
    race: float = 3.0
    shortlist: int = 16
    pool: int = 128
    draws: int = 100
    repeats: int = 3
    every: bool = True

    @property
    def full(self) -> EigenFindConfig:
        return EigenFindConfig(scan=self.scan, k=self.k)

    @property
    def short(self) -> EigenFindConfig:
        return EigenFindConfig(scan=self.scan, k=self.k, race=self.race)

    @property
    def first_order(self) -> EigenFindConfig:
        return EigenFindConfig(scan=self.scan, k=self.k, prerank=self.shortlist, halving=1)


QUICK = Extent(images=6, scan=5, k=2, shortlist=4, pool=8, draws=3, repeats=1, every=False)


def bench_eigenfind(quick: bool = False, *, from_store: bool = False) -> dict[str, Any]:
    """Search times of one image set under one model, all variants taking turns in one process.

    Returns the object of `services.figures`:
        naive_s, authors_s, ours_s, floor_s, preranked_s: wall seconds of Algorithm 1 to the letter, the authors' way,
            ours, the same number of G and C passes as ours at the best batch size and nothing else, and ours with the
            pairs racing; first_order_s: with pre-ranking by gradients and one halving instead. *_cpu_s: processor
            seconds, which other programs do not lengthen.
        ours_over_floor, naive_over_ours, authors_over_ours, naive_over_preranked: ratios of wall seconds; *_cpu_ratio
            the same of processor seconds.
        same_ranking: 1 if ranking and every image's explaining pair equal Algorithm 1's, ties within 1e-4 logits
            excepted; ties: how many there were. prerank_same_kept, first_order_same_kept: share of the k pairs that
            the race and the one by gradients keep. prerank_moves, moves: pictures an image of the race and of ours.
        draws_*: of each shipped generator, how often short searches keep the same pairs over `draws` sets of `images`
            out of `pool` source images, see `services.race_draws.over_draws`; the generator's key at the end.
        and those of `services.network_speed`.
    """
    inputs = inputs_of(_generators())
    if from_store:
        return cached(NAME, inputs)
    extent = QUICK if quick else Extent()
    settings: dict[str, Any] = asdict(extent) | {"seed": SEED, "size": SIZE, "threads": torch.get_num_threads()}
    result: Figures = measured(NAME, settings, lambda: _figures(extent))
    settings |= {"load": [round(value, 2) for value in os.getloadavg()]}
    if not quick:
        store(result, inputs, [path for source in SOURCES for path in _files(source)])
    return asdict(result)


def _files(source: str) -> list[Any]:
    path = ROOT / source
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def _figures(extent: Extent) -> dict[str, float]:
    classifier, generator = load_classifier(SHIPPED_FOLDER / CLASSIFIER), load_stylex(SHIPPED_FOLDER / GENERATOR)
    images = _source_images(classifier, extent.images)
    found = compare(classifier, generator, images, TARGET, extent)
    for shipped in _generators():
        if (extent.every or shipped.folder.name == GENERATOR) and not missing_data(shipped):
            found |= _draws(shipped, extent)
    return found | network_speed(generator, classifier, extent.repeats)


def _generators() -> list[Shipped]:
    return [g for g in shipped_generators() if g.size == SIZE and not g.shortcut]


def _draws(shipped: Shipped, extent: Extent) -> dict[str, float]:
    classifier, generator = shipped.load()
    pool = source_images(shipped, classifier, "rank", extent.pool).images
    sets = {"images": extent.images, "draws": extent.draws, "seed": SEED}
    figures = over_draws(classifier, generator, pool, TARGET, extent.full, **sets)
    return {f"draws_{name}_{shipped.key}": value for name, value in figures.items()}


@torch.no_grad()
def _source_images(classifier: Classifier, count: int) -> Tensor:
    """(count, 1, 64, 64) phantoms that C does not call the target."""
    cases = build_dataset(4 * count + 16, SEED, "cardiomegaly")
    images = torch.from_numpy(np.stack([render(case.patient, SIZE) for case in cases]))[:, None].float()
    called = torch.cat([classifier.logits(chunk).argmax(dim=1) for chunk in images.split(16)])
    found = images[called != TARGET][:count]
    if len(found) < count:
        raise ValueError(f"only {len(found)} of {len(images)} phantoms are of the source class for the classifier")
    return found


def compare(classifier: Classifier, generator: StylEx, images: Tensor, target: int, extent: Extent) -> dict[str, float]:
    """The searches' figures on (n, channels, *size) images that C does not call `target`."""
    full = extent.full
    vectors = eigenvectors(generator, classifier, images, full)
    painter, batch = prepared(generator), _best_batch(classifier, generator)
    both = search_passes(len(images), full) + Passes(0, len(images), 0)
    search = partial(_search, classifier, generator, images, target)
    naive = partial(algorithm_1, classifier, generator, images, target, vectors, full.degree, full.k)
    authors = partial(as_public_code, classifier, generator, images, target, vectors, full.degree, full.k)
    results, clocks = in_turns(
        {
            "naive": naive,
            "authors": authors,
            "ours": partial(search, full),
            "floor": partial(_passes, painter, classifier, both.generator, both.classifier, batch),
            "preranked": partial(search, extent.short),
            "first_order": partial(search, extent.first_order),
        }
    )
    wall, cpu = ({name: getattr(clock, kind) for name, clock in clocks.items()} for kind in ("wall", "cpu"))
    engine, explained = results["ours"]
    same, ties = agreement(engine, explained, results["naive"], classifier, images, target)
    kept, short, by_slope = (
        {d.name for d in results[name][0].directions() if d.kept} for name in ("ours", "preranked", "first_order")
    )
    return (
        {f"{name}_s": seconds for name, seconds in wall.items()}
        | {f"{name}_cpu_s": seconds for name, seconds in cpu.items()}
        | _ratios(wall, "")
        | _ratios(cpu, "_cpu_ratio")
        | {
            "same_ranking": float(same),
            "ties": float(ties),
            "explained": sum(name is not None for name in explained) / len(explained),
            "prerank_same_kept": len(kept & short) / len(kept),
            "first_order_same_kept": len(kept & by_slope) / len(kept),
            "moves": _moves(engine),
            "prerank_moves": _moves(results["preranked"][0]),
            "floor_batch": float(batch),
        }
    )


def _moves(engine: EigenFind) -> float:
    """Pictures an image that the search drew."""
    return engine.changes.isfinite().sum().item() / len(engine.changes)


def _ratios(seconds: dict[str, float], suffix: str) -> dict[str, float]:
    pairs = (
        ("ours", "floor"),
        ("naive", "ours"),
        ("authors", "ours"),
        ("naive", "preranked"),
        ("authors", "preranked"),
        ("naive", "first_order"),
    )
    return {f"{a}_over_{b}{suffix}": seconds[a] / seconds[b] for a, b in pairs}


def _search(
    classifier: Classifier,
    generator: StylEx,
    images: Tensor,
    target: int,
    config: EigenFindConfig,
    progress: Progress,
) -> tuple[EigenFind, tuple[str | None, ...]]:
    """What Algorithm 1 gives: the ranking, what explains each image, and the counterfactuals."""

    def ranking(share: float, message: str) -> None:
        progress(0.98 * share, message)

    engine = EigenFind.fit(classifier, images, target, config, ranking, generator=generator)
    return engine, engine.winners(images, target)[0]


@torch.no_grad()
def _passes(
    painter: StylEx, classifier: Classifier, drawings: int, judgements: int, batch: int, progress: Progress
) -> None:
    """Nothing but forward passes: `drawings` through G and `judgements` through C, in batches."""
    w = torch.randn(batch, painter.config.width, generator=torch.Generator().manual_seed(0))
    label = torch.zeros(batch, dtype=torch.long)
    pictures = painter.decode(w, label)
    for done in range(0, max(drawings, judgements), batch):
        if done < drawings:
            pictures = painter.decode(w[: min(batch, drawings - done)], label[: min(batch, drawings - done)])
        rest = judgements - done
        if rest > 0:
            classifier.logits(pictures[:rest])
        progress(done / max(drawings, judgements), "passes")


def _best_batch(classifier: Classifier, generator: StylEx) -> int:
    """The batch size of least processor time for 128 moves."""
    painter = prepared(generator)
    jobs: dict[str, Callable[[Progress], Any]] = {
        str(batch): partial(_passes, painter, classifier, 128, 128, batch) for batch in (8, 16, 32, 64)
    }
    clocks = in_turns(jobs)[1]
    return int(min(clocks, key=lambda name: clocks[name].cpu))


@torch.no_grad()
def agreement(
    engine: EigenFind,
    explained: tuple[str | None, ...],
    naive: Outcome,
    classifier: Classifier,
    images: Tensor,
    target: int,
) -> tuple[bool, int]:
    """Whether ranking, flips and explaining pairs equal those of Algorithm 1, and the number of ties within 1e-4
    logits (neighbours in its ranking, moved pictures at the boundary), where both orders and both sides are right."""
    mean = naive.changes.mean(dim=0)
    ours = [2 * d.index + (d.sign < 0) for d in engine.directions()]
    rank_ties = sum(abs(mean[a] - mean[b]).item() < TIE for a, b in pairwise(naive.order))
    same = all(abs(mean[a] - mean[b]).item() < TIE for a, b in zip(ours, naive.order, strict=True))
    before = torch.cat([target_margin(classifier.logits(chunk), target) for chunk in images.split(16)])
    close = (naive.changes + before[:, None]).abs() < TIE
    for place, entry in zip(ours, engine.directions(), strict=True):
        counted = round(entry.explained * len(images))
        same &= abs(counted - int(naive.flips[:, place].sum())) <= int(close[:, place].sum())
    if not close.any() and not rank_ties:
        names = [engine.directions()[p].name if p >= 0 else None for p in naive.place.tolist()]
        same &= list(explained) == names
    return bool(same), rank_ties + int(close.sum())
