"""What the shipped StylEx generators are worth, measured on images that no training and no choice has seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.generators.stylex import StylEx
from cfcore.generators.stylex.refine import Refinement, decode_rows, refine
from cfcore.images.phantom import PhantomCase, build_dataset, measure_batch, render
from cfcore.metrics.factor_effects import mean_interval
from cfcore.metrics.validity import classes_of
from cfcore.study.estimate import Estimate
from cfcore.study.intervals import wilson
from services.figures import Figures, cached, measured, store
from services.pictures import gray8, png
from services.reproduce.elsewhere import measured_generators
from services.reproduce.material import (
    Shipped,
    evenly,
    missing_data,
    phantom_cases,
    radiographs,
)
from services.reproduce.result import inputs_of, source_files, spread

NAME = "bench-stylex"
SEED, PACEMAKER_SEED, SAMPLE_SEED = 61, 62, 0
BATCH = 32
DEVICE_LIMIT = 0.5
SOURCES = (
    "cfcore/classifiers/base.py", "cfcore/classifiers/densenet.py", "cfcore/generators/layers.py",
    "cfcore/generators/stylex", "cfcore/images/phantom", "services/stylex_bench.py",
)  # fmt: skip

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Extent:
    """Phantoms of each generator, phantoms with a pacemaker beside them, real radiographs (None: the whole test split),
    those of them that are refined, and how."""

    phantoms: int = 600
    pacemakers: int = 200
    radiographs: int | None = None
    refined: int | None = None
    refinement: Refinement = field(default_factory=Refinement)


QUICK = Extent(48, 24, 48, 16, Refinement(steps=10))


def bench_stylex(
    quick: bool = False,
    *,
    from_store: bool = False,
    grid: Path | None = None,
    size: int = 64,
    models: Path | None = None,
) -> dict[str, Any]:
    """Held-out figures of every shipped StylEx generator of `size` px.

    Pooled over all phantom generators, and beside it for each under its key (`cardiomegaly_ssim`): phantom_ssim,
    phantom_l1; phantom_agreement (C's class kept); ctr_error = |cardiothoracic ratio measured on the reconstruction -
    true| (the goal: truth cannot be flattered; it holds the measuring network's own error, ctr_floor = |measured on the
    source - true|), ctr_shift = |measured on the reconstruction - measured on the source|; pacemaker_kept (share of
    true pacemakers detected in the reconstruction; one that cannot be measured is lost), pacemaker_false (share of
    patients without one in whom one is detected), pacemaker_seen (detected in the sources themselves),
    phantom_measurable. The same without the phantom's part for real radiographs (`ucsd_l1`), and after refinement:
    ucsd_refined_l1, ucsd_refined_agreement, ucsd_unrefined_l1 and _agreement on the same images. Each with _low and
    _high: 95 %, Wilson for shares, normal for means. _n: images.

    `grid`: a folder for one picture a generator: sources, reconstructions, refined, random samples. A full run with all
    data is kept under benchmarks/results/; `from_store` gives it back with `stale`. `models`: a folder with models that
    are measured in the place of those under weights/; nothing is stored then.

    Raises:
        FileNotFoundError: `from_store`, and nothing is kept.
        ValueError: no generator of that size is shipped, or in `models`.
    """
    generators = measured_generators(models, size=size, from_store=from_store)
    name = NAME if size == 64 else f"{NAME}-{size}px"
    inputs = inputs_of(generators)
    if from_store:
        return cached(name, inputs)
    extent = QUICK if quick else Extent()
    absent = [reason for g in generators if (reason := missing_data(g))]
    here = [g for g in generators if not missing_data(g)]
    settings = asdict(extent) | {
        "seed": SEED,
        "pacemaker_seed": PACEMAKER_SEED,
        "size": size,
        "generators": [g.name for g in here],
        "left_out": absent,
    }
    result: Figures = measured(name, settings, lambda: _figures(here, extent, grid))
    if not quick and not absent and models is None:
        store(result, inputs, source_files(SOURCES))
    return asdict(result)


def _figures(generators: Sequence[Shipped], extent: Extent, grid: Path | None) -> dict[str, float]:
    figures: dict[str, float] = {}
    pooled: list[PhantomReadout] = []
    for shipped in generators:
        classifier, generator = shipped.load()
        if shipped.source == "phantom":
            readout, images = read_phantoms(shipped, classifier, generator, extent)
            pooled.append(readout)
            figures |= phantom_figures([readout], shipped.key, own=True)
        else:
            images, found = _real_figures(shipped, classifier, generator, extent)
            figures |= found
        if grid is not None:
            grid.mkdir(parents=True, exist_ok=True)
            picture = sample_grid(classifier, generator, images, extent.refinement)
            (grid / f"stylex-{shipped.key}.png").write_bytes(picture)
    return (phantom_figures(pooled, "phantom") if pooled else {}) | figures


@dataclass(frozen=True)
class Reconstruction:
    """(n,) each: mean |x - x^|, structural similarity, C's class kept."""

    l1: Array
    ssim: Array
    agrees: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PhantomReadout:
    """A generator's reconstructions against the phantom's truth, (n,) each.

    Attributes:
        pictures: of the phantoms without the added pacemakers. ctr_truth, ctr_source, ctr_drawn: true ratio, measured
            on the source and on the reconstruction, nan where it cannot be measured. pacemaker: the patient has one;
            device_source, device_drawn: its score, 0 where it cannot be measured.
    """

    pictures: Reconstruction
    ctr_truth: Array
    ctr_source: Array
    ctr_drawn: Array
    pacemaker: npt.NDArray[np.bool_]
    device_source: Array
    device_drawn: Array


@torch.no_grad()
def reconstruct(classifier: Classifier, generator: StylEx, images: Tensor) -> tuple[Tensor, Tensor]:
    """(n, 1, size, size) pictures G(E(x)) and (n,) C's classes of x, which condition G."""
    label = classes_of(classifier, images)
    pairs = zip(images.split(BATCH), label.split(BATCH), strict=True)
    return torch.cat([generator.decode(generator.encode(chunk), own) for chunk, own in pairs]), label


@torch.no_grad()
def compare(classifier: Classifier, images: Tensor, drawn: Tensor, label: Tensor) -> Reconstruction:
    """How close (n, 1, size, size) pictures are to the images; ssim: Wang et al. 2004, Gaussian 11, sigma 1.5."""
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    values = ssim(drawn, images, data_range=1.0, reduction="none")
    assert isinstance(values, Tensor)
    return Reconstruction(
        (drawn - images).abs().flatten(1).mean(dim=1).double().numpy(),
        values.view(-1).double().numpy(),
        (classes_of(classifier, drawn) == label).numpy(),
    )


def read_phantoms(
    shipped: Shipped, classifier: Classifier, generator: StylEx, extent: Extent
) -> tuple[PhantomReadout, Tensor]:
    """Reconstruct phantoms of the generator's pathology and measure both sides; and the first images."""
    plain = list(islice(phantom_cases(shipped, SEED), extent.phantoms))
    # Pacemakers are rare (5 %): patients drawn in the same way, all with one, give the share its n.
    added = build_dataset(extent.pacemakers, PACEMAKER_SEED, shipped.finding, {"pacemaker": (1.0, 1.0)})
    cases: list[PhantomCase] = [*plain, *added]
    source = np.stack([render(case.patient, shipped.size) for case in cases])
    images = torch.from_numpy(source)[:, None]
    drawn, label = reconstruct(classifier, generator, images)
    n = len(plain)
    pictures = compare(classifier, images[:n], drawn[:n], label[:n])
    ctr_source, device_source = measured_rows(source)
    ctr_drawn, device_drawn = measured_rows(drawn[:, 0].numpy())
    truth = np.array([case.patient.factors.cardiothoracic_ratio for case in cases])
    pacemaker = np.array([case.patient.factors.pacemaker for case in cases])
    # The heart is judged on the unselected patients alone.
    rows = slice(0, n)
    readout = PhantomReadout(
        pictures, truth[rows], ctr_source[rows], ctr_drawn[rows], pacemaker, device_source, device_drawn
    )
    return readout, images


def measured_rows(images: npt.NDArray[np.float32]) -> tuple[Array, Array]:
    """Cardiothoracic ratio (nan) and device score (0 where it cannot be measured) of (n, size, size) pictures."""
    found = measure_batch(images)
    ratio = [float("nan") if m.cardiothoracic_ratio is None else m.cardiothoracic_ratio for m in found]
    return np.array(ratio), np.array([m.device or 0.0 for m in found])


def phantom_figures(readouts: Sequence[PhantomReadout], key: str, *, own: bool = False) -> dict[str, float]:
    """Figures of one or several phantom generators, pooled over their images. `own`: under the generator's key
    throughout, instead of the names of the goals."""
    prefix = f"{key}_" if own else ""
    l1, ssim, agrees = (
        np.concatenate([getattr(r.pictures, name) for r in readouts]) for name in ("l1", "ssim", "agrees")
    )
    truth, source, drawn, pacemaker, device_source, device_drawn = (
        np.concatenate([getattr(r, name) for r in readouts])
        for name in ("ctr_truth", "ctr_source", "ctr_drawn", "pacemaker", "device_source", "device_drawn")
    )
    seen = ~np.isnan(drawn)
    both = seen & ~np.isnan(source)
    kept = device_drawn[pacemaker] >= DEVICE_LIMIT
    false = device_drawn[~pacemaker] >= DEVICE_LIMIT
    found = device_source[pacemaker] >= DEVICE_LIMIT
    return (
        {f"{key}_n": float(len(l1))}
        | spread(f"{key}_ssim", mean_interval(ssim))
        | spread(f"{key}_l1", mean_interval(l1))
        | spread(f"{key}_agreement", share(agrees))
        | spread(f"{prefix}ctr_error", mean_interval(np.abs(drawn - truth)[seen]))
        | spread(f"{prefix}ctr_shift", mean_interval(np.abs(drawn - source)[both]))
        | spread(f"{prefix}ctr_floor", mean_interval(np.abs(source - truth)[~np.isnan(source)]))
        | spread(f"{key}_measurable", share(seen))
        | spread(f"{prefix}pacemaker_kept", share(kept))
        | spread(f"{prefix}pacemaker_false", share(false))
        | spread(f"{prefix}pacemaker_seen", share(found))
        | {f"{prefix}pacemaker_n": float(len(kept))}
    )


def share(holds: npt.NDArray[np.bool_]) -> Estimate:
    """The share of True with Wilson's interval."""
    return wilson(int(holds.sum()), len(holds))


def _real_figures(
    shipped: Shipped, classifier: Classifier, generator: StylEx, extent: Extent
) -> tuple[Tensor, dict[str, float]]:
    images, _ = radiographs(shipped, "test")
    images = evenly(images, extent.radiographs or len(images))
    drawn, label = reconstruct(classifier, generator, images)
    before = compare(classifier, images, drawn, label)
    figures = _pictures(shipped.key, before) | {f"{shipped.key}_n": float(len(images))}
    rows = evenly(torch.arange(len(images)), extent.refined or len(images))
    refined = refined_pictures(generator, images[rows], label[rows], extent.refinement)
    after = compare(classifier, images[rows], refined, label[rows])
    kept = rows.numpy()
    same = Reconstruction(before.l1[kept], before.ssim[kept], before.agrees[kept])
    return images, (
        figures
        | _pictures(f"{shipped.key}_refined", after)
        | _pictures(f"{shipped.key}_unrefined", same)
        | {f"{shipped.key}_refined_n": float(len(rows))}
    )


def _pictures(key: str, found: Reconstruction) -> dict[str, float]:
    return (
        spread(f"{key}_l1", mean_interval(found.l1))
        | spread(f"{key}_ssim", mean_interval(found.ssim))
        | spread(f"{key}_agreement", share(found.agrees))
    )


def refined_pictures(generator: StylEx, images: Tensor, label: Tensor, settings: Refinement) -> Tensor:
    """What G draws after per-image refinement, (n, 1, size, size) in [0, 1]."""
    code = refine(generator, images, label, settings)
    decode = decode_rows if settings.space == "w+" else StylEx.decode
    with torch.no_grad():
        pairs = zip(code.split(BATCH), label.split(BATCH), strict=True)
        return torch.cat([decode(generator, chunk, own) for chunk, own in pairs])


@torch.no_grad()
def random_samples(generator: StylEx, n: int, seed: int = SAMPLE_SEED) -> Tensor:
    """(n, 1, size, size) pictures of z ~ N(0, I) under alternating labels."""
    z = torch.randn(n, generator.config.width, generator=torch.Generator().manual_seed(seed))
    label = torch.arange(n) % generator.config.classes
    return generator.decode(generator.sample(z, label), label)


def sample_grid(
    classifier: Classifier, generator: StylEx, images: Tensor, settings: Refinement, columns: int = 8
) -> bytes:
    """PNG with rows of sources, reconstructions, refined reconstructions and two of random samples."""
    sources = evenly(images, columns)
    drawn, label = reconstruct(classifier, generator, sources)
    refined = refined_pictures(generator, sources, label, replace(settings, steps=min(settings.steps, 60)))
    samples = random_samples(generator, 2 * len(sources)).split(len(sources))
    rows = [torch.cat(list(row), dim=2) for row in _squares(sources, drawn, refined, *samples)]
    return png(gray8(torch.cat(rows, dim=1)[0].numpy()))


def _squares(*rows: Tensor) -> Iterator[Tensor]:
    """(n, 1, h, w) rows with a white border of a pixel around every picture."""
    for row in rows:
        yield torch.nn.functional.pad(row, (1, 1, 1, 1), value=1.0)
