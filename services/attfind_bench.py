"""What pre-ranking by gradients costs AttFind and what it loses, against the exhaustive search on the same phantoms."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.classifiers.store import load_classifier
from cfcore.engines.attfind import AttFind, AttFindConfig, style_ends
from cfcore.engines.attfind.prerank import predicted_changes, smoothed_changes
from cfcore.engines.attfind.redraw import Redraw
from cfcore.engines.attfind.search import BATCH, Found, Scratch, Task, search
from cfcore.engines.first_order import style_gradients
from cfcore.generators.stylex import StylEx
from cfcore.generators.stylex.model import load_stylex
from cfcore.images.phantom import VERSION, build_dataset, render
from cfcore.training.weights import read_card
from services.figures import ROOT, Figures, cached, measured, store
from services.models import SHIPPED_FOLDER

NAME = "bench-attfind"
PATHOLOGY, SEED, SIZE, TARGET = "cardiomegaly", 83, 64, 1
TOP = 10
VERIFIED = 0.04  # headline share of pairs drawn exactly; the gradient's own passes come on top
SHARES = {"0p25": 0.0025, "0p5": 0.005, "1": 0.01, "2": 0.02, "5": 0.05, "10": 0.1}
BACKWARD = 2  # a backward pass counts as so many forward passes
FAR = 4.0  # a degree beyond the training range, where first order must fail sooner
SMOOTHING = (4, 0.05)  # draws, share of coordinates moved in each
PAPER_IMAGES = 600
SOURCES = (
    "cfcore/engines/attfind",
    "cfcore/engines/first_order.py",
    "cfcore/generators/layers.py",
    "cfcore/generators/stylex",
    "cfcore/images/phantom",
    "services/attfind_bench.py",
)


@dataclass(frozen=True)
class Extent:
    """images: searched; training: phantoms that give the coordinates' range; every: n-th coordinate only."""

    images: int = 4
    training: int = 300
    every: int = 1


QUICK = Extent(1, 48, 4)


def bench_attfind(
    quick: bool = False, *, from_store: bool = False, progress: Callable[[float, str], None] = lambda *_: None
) -> dict[str, Any]:
    """Figures of the pre-ranked against the exhaustive search with the shipped cardiomegaly generator, at degree 1.

    Returns the object of `services.figures`; docs/methods/attfind.md says what each figure means. Both searches see the
    same images, one process, one thread setting; seconds are of this machine and its load. A full run is kept under
    benchmarks/results/.
    """
    folders = {kind: SHIPPED_FOLDER / f"phantom-{PATHOLOGY}-{kind}" for kind in ("classifier", "stylex")}
    inputs = {f"{PATHOLOGY} {kind}": str(read_card(folder)["sha256"]) for kind, folder in folders.items()}
    inputs["phantom"] = VERSION
    if from_store:
        return cached(NAME, inputs)
    extent = QUICK if quick else Extent()
    classifier, generator = load_classifier(folders["classifier"]), load_stylex(folders["stylex"])
    settings = {
        "images": extent.images,
        "training": extent.training,
        "every": extent.every,
        "verified": VERIFIED,
        "k": TOP,
        "degree": 1.0,
        "seed": SEED,
        "size": SIZE,
        "m": generator.style_dimension,
        "threads": torch.get_num_threads(),
        "extrapolated": "exhaustive_hours_600",
    }
    result: Figures = measured(NAME, settings, lambda: _figures(generator, classifier, extent, progress))
    if not quick:
        store(result, inputs, [p for s in SOURCES for p in _files(s)])
    return {
        "name": result.name,
        "figures": result.figures,
        "settings": result.settings,
        "seconds": result.seconds,
        "versions": result.versions,
    }


def _files(source: str) -> list[Any]:
    path = ROOT / source
    return [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.safetensors")])


def _figures(
    generator: StylEx, classifier: Classifier, extent: Extent, progress: Callable[[float, str], None]
) -> dict[str, float]:
    images, training = _material(classifier, extent)
    engine = AttFind(classifier, generator, AttFindConfig(k=TOP), style_ends(generator, classifier, training))
    task = _task(engine, images, 1.0)
    coordinates = torch.arange(0, generator.style_dimension, extent.every)
    pairs = torch.stack([2 * coordinates, 2 * coordinates + 1], dim=1).flatten()
    nothing = Scratch(None, "")
    exact = search(task, pairs, nothing, lambda share, text: progress(0.8 * share, text))
    started = time.perf_counter()
    predicted = predicted_changes(task, nothing, lambda *_: None).flatten(1)[:, pairs]
    gradient_s = time.perf_counter() - started
    chosen = _best(predicted, VERIFIED)
    quick = search(task, pairs[chosen], nothing, lambda share, text: progress(0.8 + 0.05 * share, text))
    whole = 2 * generator.style_dimension / len(pairs)
    per_drawing = exact.seconds / exact.changes.numel()
    figures = {
        "verified_share": VERIFIED,
        "cost_share": _cost(VERIFIED, generator),
        "cost_share_seconds": (gradient_s + quick.seconds * whole) / (exact.seconds * whole),
        "exhaustive_s": exact.seconds,
        "preranked_s": gradient_s + quick.seconds,
        "evaluation_ms": 1000 * per_drawing,
        "exhaustive_hours_600": per_drawing * 2 * generator.style_dimension * PAPER_IMAGES / 3600,
    }
    figures |= _losses(engine, images, exact, quick, lambda share, text: progress(0.85 + 0.05 * share, text))
    figures |= _trade_off(exact, predicted, generator)
    figures |= _predictors(task, exact, predicted, "")
    progress(0.92, f"moves of degree {FAR:g}")
    figures |= _far(engine, images, extent)
    progress(0.97, "speed")
    return figures | _speed(generator, classifier, task)


def _material(classifier: Classifier, extent: Extent) -> tuple[Tensor, Tensor]:
    """Images that C does not call the target, and those of every class that give the range."""
    cases = build_dataset(extent.training, SEED, PATHOLOGY)
    training = torch.from_numpy(np.stack([render(case.patient, SIZE) for case in cases]))[:, None]
    with torch.no_grad():
        called = torch.cat([classifier.logits(chunk).argmax(dim=1) for chunk in training.split(BATCH)])
    images = training[called != TARGET][: extent.images]
    if len(images) < extent.images:
        raise RuntimeError(f"only {len(images)} of {extent.training} phantoms are not called the target already")
    return images, training


@torch.no_grad()
def _task(engine: AttFind, images: Tensor, degree: float) -> Task:
    codes = torch.cat([engine.encode(chunk, TARGET) for chunk in images.split(BATCH)])
    return Task(engine.generator, engine.classifier, codes[:, :-1], codes[:, -1].long(), engine.ends, degree, TARGET)


def _best(predicted: Tensor, share: float) -> Tensor:
    """Places, rising, of the share of pairs with the highest mean prediction; never fewer than the top."""
    count = max(TOP, round(share * predicted.shape[1]))
    return predicted.mean(dim=0).argsort(descending=True, stable=True)[:count].sort().values


def _top(changes: Tensor) -> Tensor:
    return changes.mean(dim=0).argsort(descending=True, stable=True)[:TOP]


def _cost(share: float, generator: StylEx) -> float:
    """Forward passes of the pre-ranked search over those of the exhaustive one, 2 m an image."""
    return share + (1 + BACKWARD) / (2 * generator.style_dimension)


def _losses(
    engine: AttFind, images: Tensor, exact: Found, quick: Found, progress: Callable[[float, str], None]
) -> dict[str, float]:
    """What is lost: recall of the best pairs, and the explained share by both selections."""
    best = {int(exact.pairs[i]) for i in _top(exact.changes)}
    found = {int(quick.pairs[i]) for i in _top(quick.changes)}
    figures = {"recall_top10": len(best & found) / TOP}
    shares: dict[str, list[float]] = {"independent": [], "subset": []}
    for name, result in (("exhaustive", exact), ("preranked", quick)):
        alone = result.flips[:, _top(result.changes)].any(dim=1).float().mean().item()
        if name == "preranked" and found == best:
            together = shares["subset"][0]
        else:
            together = _subset_share(engine, images, result, progress)
        figures |= {f"explained_{name}": alone, f"explained_subset_{name}": together}
        shares["independent"].append(alone)
        shares["subset"].append(together)
    return figures | {"explained_gap": max(one - two for one, two in shares.values())}


def _subset_share(engine: AttFind, images: Tensor, found: Found, progress: Callable[[float, str], None]) -> float:
    greedy = AttFind(engine.classifier, engine.generator, AttFindConfig(k=TOP, selection="subset"), engine.ends)
    greedy.rank(found)
    return greedy.explain(images, TARGET, rendering="plain", progress=progress).flipped.float().mean().item()


def _trade_off(exact: Found, predicted: Tensor, generator: StylEx) -> dict[str, float]:
    """The same figures at several shares, from the exact changes at hand."""
    best = set(_top(exact.changes).tolist())
    alone = exact.flips[:, sorted(best)].any(dim=1).float().mean().item()
    figures: dict[str, float] = {}
    for word, share in SHARES.items():
        places = _best(predicted, share)
        kept = places[_top(exact.changes[:, places])]
        explained = exact.flips[:, kept].any(dim=1).float().mean().item()
        figures |= {
            f"cost_share_at_{word}": _cost(share, generator),
            f"recall_top10_at_{word}": len(best & set(kept.tolist())) / TOP,
            f"explained_gap_at_{word}": alone - explained,
        }
    return figures


def _predictors(task: Task, exact: Found, gradient: Tensor, suffix: str) -> dict[str, float]:
    """How well the gradient and what might improve it order the exact changes."""
    pairs = exact.pairs
    smooth = smoothed_changes(task, *SMOOTHING, torch.Generator().manual_seed(SEED)).flatten(1)[:, pairs]
    midway = _midway(task).flatten(1)[:, pairs]
    figures: dict[str, float] = {}
    for name, predicted in (("", gradient), ("smoothed_", smooth), ("midway_", midway)):
        means = spearmanr(predicted.mean(dim=0), exact.changes.mean(dim=0)).statistic
        single = [spearmanr(one, two).statistic for one, two in zip(predicted, exact.changes, strict=True)]
        order = predicted.mean(dim=0).argsort(descending=True, stable=True).tolist()
        deepest = max(order.index(i) for i in _top(exact.changes).tolist())
        figures |= {
            f"{name}rank_correlation{suffix}": float(means),
            f"{name}rank_correlation_image{suffix}": float(np.mean(single)),
            f"{name}deepest_rank{suffix}": (deepest + 1) / len(pairs),
        }
    return figures


def _midway(task: Task) -> Tensor:
    """(n, m, 2): the gradient taken with every coordinate half-way to the one, then to the other end."""
    shifts = task.shifts(0, len(task.w))
    styles = task.generator.styles(task.w, task.label)
    sides = []
    for side in range(2):
        at = styles + shifts[:, :, side] / 2
        gradient = style_gradients(task.generator, task.classifier, task.w, task.label, task.target, styles=at)
        sides.append(gradient * shifts[:, :, side])
    return torch.stack(sides, dim=2)


def _far(engine: AttFind, images: Tensor, extent: Extent) -> dict[str, float]:
    """The predictors at degree FAR, on two images and every eighth coordinate (at least)."""
    task = _task(engine, images[:2], FAR)
    coordinates = torch.arange(0, engine.generator.style_dimension, max(8, extent.every))
    pairs = torch.stack([2 * coordinates, 2 * coordinates + 1], dim=1).flatten()
    nothing = Scratch(None, "")
    exact = search(task, pairs, nothing, lambda *_: None)
    gradient = predicted_changes(task, nothing, lambda *_: None).flatten(1)[:, pairs]
    return _predictors(task, exact, gradient, f"_degree_{FAR:g}")


@torch.no_grad()
def _speed(generator: StylEx, classifier: Classifier, task: Task, rounds: int = 5) -> dict[str, float]:
    """Ratios of times, each the least of `rounds` taken in turn in one process (others may use the machine): drawing in
    full over redrawing, averaged over all coordinates as they are spread over the layers; evaluations in the usual
    memory layout over channels-last."""
    redraw = Redraw(generator, task.w[:1], task.label[:1])
    rows = torch.zeros(BATCH, dtype=torch.long)
    styles, w, label = redraw.styles[rows], task.w[rows], task.label[rows]
    lengths = generator.synthesis.style_lengths
    fast: tuple[Any, Any] = (copy.deepcopy(generator), copy.deepcopy(classifier))
    for module in fast:
        module.to(memory_format=torch.channels_last)
    image = generator.decode_styles(styles, w, label)
    works: list[tuple[str, float, Callable[[], Tensor]]] = [
        ("full", 1.0, lambda: generator.decode_styles(styles, w, label)),
        ("classifier", 1.0, lambda: classifier.logits(image)),
        ("usual", 1.0, lambda: classifier.logits(generator.decode_styles(styles, w, label))),
        ("channels last", 1.0, lambda: fast[1].logits(fast[0].decode_styles(styles, w, label))),
        ("last", 1.0, partial(redraw.draw, rows, len(lengths) - 1, rows, torch.ones(BATCH))),
    ]
    for layer, length in enumerate(lengths):
        channels, values = torch.arange(BATCH) % length, torch.ones(BATCH)
        works.append(("redraw", length / sum(lengths), partial(redraw.draw, rows, layer, channels, values)))
    best = [float("inf")] * len(works)
    for _ in range(rounds):
        for i, (_, _, work) in enumerate(works):
            started = time.perf_counter()
            work()
            best[i] = min(best[i], time.perf_counter() - started)
    spent = {name: sum(w * t for (n, w, _), t in zip(works, best, strict=True) if n == name) for name, _, _ in works}
    return {
        "redraw_ratio": spent["full"] / spent["redraw"],
        "redraw_ratio_last_layer": spent["full"] / spent["last"],
        "redraw_ratio_with_classifier": (spent["full"] + spent["classifier"]) / (spent["redraw"] + spent["classifier"]),
        "channels_last_ratio": spent["usual"] / spent["channels last"],
    }
