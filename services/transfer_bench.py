"""The three renderings side by side: flips, identity, ghosts, and how near they come to the true counterfactual."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import resize
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.engines.eigenfind.config import Basis
from cfcore.engines.transfer import additive, keep_mask, upsample, warped
from cfcore.engines.transfer.borders import old_border
from cfcore.engines.transfer.deformation import gaussian, gradient
from cfcore.images.phantom import RANGES, Patient, counterfactual, masks, measure_batch, render, sample_patient
from cfcore.images.reading import read_image
from cfcore.metrics.factor_effects import mean_interval
from cfcore.rendering import RENDERINGS, Rendering
from cfcore.study.intervals import wilson
from services.figures import Figures, cached, measured, store
from services.images import pad_to_square
from services.pictures import gray8, png
from services.reproduce.material import Shipped, data_folder, shipped_generators, source_images
from services.reproduce.result import inputs_of, source_files, spread

NAME = "bench-transfer"
SEED, SIZE, SMALL = 81, 512, 64
WIDER = 0.12  # cardiothoracic ratio added to the oracle pairs
DEGREE = 10.0
SHORT: dict[Rendering, str] = {"plain": "plain", "detail transfer": "additive", "warped transfer": "warped"}
SOURCES = (
    "cfcore/rendering.py", "cfcore/engines/transfer", "cfcore/engines/base.py", "cfcore/engines/eigenfind",
    "cfcore/classifiers", "cfcore/generators", "cfcore/images/phantom", "services/transfer_bench.py",
)  # fmt: skip


@dataclass(frozen=True)
class Extent:
    """Oracle pairs; phantoms that directions are ranked on and moved; real radiographs of each folder at full size;
    eigenvectors scanned, and of which basis."""

    oracle: int = 24
    ranked: int = 24
    moved: int = 24
    real: int = 4
    scan: int = 20
    basis: Basis = "sefa"


QUICK = Extent(4, 6, 4, 0, 4)


@torch.no_grad()
def bench_transfer(
    quick: bool = False,
    *,
    from_store: bool = False,
    sheets: Path | None = None,
    basis: Basis = "sefa",
    extent: Extent | None = None,
) -> dict[str, Any]:
    """Figures of plain rendering, additive and warped detail transfer (docs/methods/detail-transfer.md).

    oracle_*: phantoms at 512 px whose heart is made wider by 0.12 of the cardiothoracic ratio; G(w) and G(w + d v) are
    the phantom's own 64 px renderings, so only the transfer is measured. phantom_*: the shipped cardiomegaly generator
    moves phantoms along its best direction by degree 10; truth is the same patient, wider by what was measured between
    G(w) and G(w + d v). real_*: radiographs at full size, where they are, moved by the shipped generator for UCSD (it
    has not seen NIH or DICOM).

    Returns the object of `services.figures`. `sheets`: a folder for contact sheets: original, plain, additive,
    warped, warped - original. A full run with all data is kept, one for each basis.

    Raises:
        FileNotFoundError: `from_store`, and nothing is kept.
    """
    shipped = [g for g in shipped_generators() if g.key in ("cardiomegaly", "ucsd")]
    if from_store:
        return cached(_stored_as(basis), inputs_of(shipped))
    extent = replace(extent or (QUICK if quick else Extent()), basis=basis)
    settings = asdict(extent) | {"seed": SEED, "size": SIZE, "wider": WIDER, "degree": DEGREE}
    settings["left_out"] = [] if extent.real and full_size_images(1) else ["real radiographs at full size"]

    def work() -> dict[str, float]:
        figures = oracle_figures(extent.oracle, sheets)
        for generator in shipped:
            if generator.source == "phantom":
                figures |= phantom_figures(generator, extent, sheets)
            elif not settings["left_out"]:
                figures |= real_figures(generator, extent, sheets)
        return figures

    result: Figures = measured(_stored_as(basis), settings, work)
    if not quick and not settings["left_out"]:
        store(result, inputs_of(shipped), source_files(SOURCES))
    return asdict(result)


def _stored_as(basis: Basis) -> str:
    return NAME if basis == "sefa" else f"{NAME}-{basis}"


def oracle_pairs(n: int) -> Iterator[tuple[Patient, Patient]]:
    """Phantom patients without cardiomegaly, and the same with a heart wider by `WIDER`."""
    low, high = RANGES["cardiothoracic_ratio"]
    for i in range(n):
        patient = sample_patient(SEED * 1_000_000 + i, "cardiomegaly", False)
        ratio = min(max(patient.factors.cardiothoracic_ratio + WIDER, low), high)
        yield patient, counterfactual(patient, cardiothoracic_ratio=ratio)


def oracle_figures(n: int, sheets: Path | None = None) -> dict[str, float]:
    """Only the transfer: truth, ghosting, identity, as `oracle_*`."""
    rows: list[dict[str, float]] = []
    pictures = []
    for patient, other in oracle_pairs(n):
        source, truth = _drawn(patient, SIZE), _drawn(other, SIZE)
        before, after = _drawn(patient, SMALL), _drawn(other, SMALL)
        shown = _three(source, before, after)
        rows.append(_against_truth(source, truth, shown, moved_outline(patient, other)))
        pictures.append(_strip(source, shown))
    _sheet(sheets, "oracle", pictures)
    return _pooled("oracle", rows)


def phantom_figures(shipped: Shipped, extent: Extent, sheets: Path | None = None) -> dict[str, float]:
    """The shipped generator on phantoms: as `oracle_figures`, and the share that flips, as `phantom_*`."""
    engine = _fitted(shipped, extent)
    chosen = source_images(shipped, engine.classifier, "test", extent.moved, SIZE)
    rows: list[dict[str, float]] = []
    flips: dict[str, list[bool]] = {}
    pictures = []
    for i, case in enumerate(chosen.cases):
        source = chosen.images[i : i + 1]
        shown = _moved(engine, source, flips)
        before, after = shown.pop("before"), shown.pop("after")
        truth = _matched(case.patient, before, after)
        if truth is not None:
            rows.append(_against_truth(source, _drawn(truth, SIZE), shown, moved_outline(case.patient, truth)))
        pictures.append(_strip(source, shown))
    _sheet(sheets, "phantom", pictures)
    figures = _pooled("phantom", rows) | {"phantom_matched": len(rows) / len(chosen.cases)}
    for name, values in flips.items():
        figures |= spread(f"phantom_flips_{name}", wilson(sum(values), len(values)))
    return figures


def real_figures(shipped: Shipped, extent: Extent, sheets: Path | None = None) -> dict[str, float]:
    """Radiographs at full size: flips, ghosting, identity and CPU seconds an image, as `real_*`."""
    engine = _fitted(shipped, extent)
    rows: list[dict[str, float]] = []
    flips: dict[str, list[bool]] = {}
    pictures = []
    for source in full_size_images(extent.real):
        shown = _moved(engine, source, flips)
        before, after = shown.pop("before"), shown.pop("after")
        row: dict[str, float] = {}
        ridge = old_ridge(before, after, tuple(source.shape[2:]))
        for name, picture in shown.items():
            row |= {f"ghosting_{name}": ghosting(source, picture, ridge), f"detail_{name}": detail(source, picture)}
            row[f"unchanged_{name}"] = _unchanged(source, picture)
        for name, transfer in (("additive", additive), ("warped", warped)):
            started = time.process_time()
            transfer(source, before, after)
            row[f"cpu_seconds_{name}"] = time.process_time() - started
        rows.append({key: value for key, value in row.items() if value == value})
        pictures.append(_strip(source, shown))
    _sheet(sheets, "real", pictures)
    figures = _pooled("real", rows)
    for name, values in flips.items():
        figures |= spread(f"real_flips_{name}", wilson(sum(values), len(values)))
    return figures


def full_size_images(n: int) -> list[Tensor]:
    """Up to n radiographs of nih1024, n of ucsd_full and the real DICOM file, (1, 1, s, s); [] where they are not."""
    folder = data_folder()
    paths = [p for name in ("nih1024", "ucsd_full") for p in _some(sorted((folder / "cxr" / name).glob("*.*")), n)]
    paths += [p for p in [folder / "dicom" / "RG1_UNCR.dcm"] if p.exists()]
    return [_read(path) for path in paths]


def _some(paths: Sequence[Path], n: int) -> Sequence[Path]:
    return [paths[i * len(paths) // n] for i in range(min(n, len(paths)))]


def _read(path: Path) -> Tensor:
    image = read_image(path)
    unit = pad_to_square(image.pixels.astype(np.float32) / np.float32(image.max_value))
    return torch.from_numpy(np.ascontiguousarray(unit))[None, None]


def _fitted(shipped: Shipped, extent: Extent) -> EigenFind:
    classifier, generator = shipped.load()
    images = source_images(shipped, classifier, "rank", extent.ranked).images
    config = EigenFindConfig(basis=extent.basis, scan=extent.scan, degree=DEGREE)
    return EigenFind.fit(classifier, images, 1, config, generator=generator)


def _moved(engine: EigenFind, source: Tensor, flips: dict[str, list[bool]]) -> dict[str, Tensor]:
    """The three renderings at the source's size, and G(w) and G(w + d v) as "before" and "after"."""
    direction = engine.directions()[0].name
    plain = engine.move(source, 1, direction=direction, degree=DEGREE, rendering="plain")
    shown = {"before": plain.reconstruction, "after": plain.counterfactual}
    shown |= _three(source, plain.reconstruction, plain.counterfactual)
    flips.setdefault("plain", []).append(bool(plain.flipped[0]))
    for name in ("additive", "warped"):
        flips.setdefault(name, []).append(bool(engine.probability(shown[name], 1)[0] > 0.5))
    return shown


def _three(source: Tensor, before: Tensor, after: Tensor) -> dict[str, Tensor]:
    size = tuple(source.shape[2:])
    pictures = (upsample(after, size).clamp(0, 1), additive(source, before, after), warped(source, before, after))
    by = {"plain": pictures[0], "detail transfer": pictures[1], "warped transfer": pictures[2]}
    return {SHORT[name]: by[name] for name in sorted(RENDERINGS, key=list(SHORT).index)}


def _drawn(patient: Patient, size: int) -> Tensor:
    return torch.from_numpy(render(patient, size))[None, None]


def _matched(patient: Patient, before: Tensor, after: Tensor) -> Patient | None:
    """The patient with the heart as much wider as G(w + d v) is measured to be than G(w); None where that cannot be
    measured, or is less than 0.02."""
    first, second = measure_batch(torch.cat([before, after])[:, 0].numpy())
    if first.cardiothoracic_ratio is None or second.cardiothoracic_ratio is None:
        return None
    wider = second.cardiothoracic_ratio - first.cardiothoracic_ratio
    low, high = RANGES["cardiothoracic_ratio"]
    ratio = min(max(patient.factors.cardiothoracic_ratio + wider, low), high)
    return counterfactual(patient, cardiothoracic_ratio=ratio) if abs(wider) >= 0.02 else None


def moved_outline(patient: Patient, other: Patient) -> Tensor:
    """(1, 1, 512, 512) bool: the old outline of the heart, 5 px wide, where the new one is more than 8 px away."""
    old, new = (torch.from_numpy(masks(p, SIZE)["heart"])[None, None].float() for p in (patient, other))
    edges = [_wide(m, 1) - (1 - _wide(1 - m, 1)) for m in (old, new)]
    return (_wide(edges[0], 1) > 0) & ~(_wide(edges[1], 8) > 0)


def _wide(mask: Tensor, by: int) -> Tensor:
    return functional.max_pool2d(mask, 2 * by + 1, 1, by)


def old_ridge(before: Tensor, after: Tensor, size: tuple[int, ...]) -> Tensor:
    """(1, 1, *size) bool: without known outlines, a pixel of the small picture about the steepest line of a border of
    G(w) that has gone in G(w + d v)."""
    steep = gradient(gaussian(before, 0.7)).norm(dim=1, keepdim=True)
    ridge = (old_border(before, after) > 0.5) & (steep >= 0.95 * functional.max_pool2d(steep, 3, 1, 1))
    return functional.interpolate(ridge.float(), size, mode="nearest") > 0


def ghosting(source: Tensor, picture: Tensor, where: Tensor) -> float:
    """Gradient energy of `picture` on the old border over that of the source there; nan where no border moved.

    The gradient is taken across 3 px of 512 (finer is noise). 1: the border is still there; a border that is gone
    leaves what crosses it (ribs, vessels), so the true counterfactual is not at 0 either.
    """
    if not where.any():
        return float("nan")
    scale = 1.5 * max(source.shape[2:]) / SIZE
    energy = [gradient(gaussian(t, scale)).square().sum(dim=1, keepdim=True)[where].mean() for t in (picture, source)]
    return float(energy[0] / energy[1])


def detail(source: Tensor, picture: Tensor) -> float:
    """Correlation with the source's detail: what is left after its 64 px average is taken off."""
    size = tuple(source.shape[2:])
    first, second = (t - upsample(resize(t, (SMALL, SMALL)), size) for t in (source, picture))
    return float(functional.cosine_similarity(first.flatten(), second.flatten(), dim=0))


def _unchanged(source: Tensor, picture: Tensor) -> float:
    return float((picture == source).float().mean())


def _against_truth(source: Tensor, truth: Tensor, shown: dict[str, Tensor], outline: Tensor) -> dict[str, float]:
    changed = _wide(((truth - source).abs() > 0.02).float(), 8) > 0
    row = {"truth_l1_source": float((source - truth).abs()[changed].mean())} if changed.any() else {}
    row["ghosting_true"] = ghosting(source, truth, outline)
    kept = keep_mask(source)
    for name, picture in shown.items():
        error = (picture - truth).abs()
        row |= {
            f"truth_l1_{name}": float(error[changed].mean()),
            f"outside_l1_{name}": float((picture - source).abs()[~changed].mean()),
            f"detail_{name}": detail(source, picture),
            f"ghosting_{name}": ghosting(source, picture, outline),
            f"unchanged_{name}": _unchanged(source, picture),
        }
        if kept.any():
            row[f"kept_exactly_{name}"] = float((picture == source)[kept].float().mean())
    return {key: value for key, value in row.items() if value == value}


def _pooled(part: str, rows: Sequence[dict[str, float]]) -> dict[str, float]:
    figures: dict[str, float] = {f"{part}_n": float(len(rows))}
    for key in dict.fromkeys(key for row in rows for key in row):
        figures |= spread(f"{part}_{key}", mean_interval(np.array([row[key] for row in rows if key in row])))
    return figures


def _strip(source: Tensor, shown: dict[str, Tensor]) -> Tensor:
    change = ((shown["warped"] - source) * 2 + 0.5).clamp(0, 1)
    return torch.cat([resize(t, (256, 256)) for t in (source, *shown.values(), change)], dim=3)[0, 0]


def _sheet(folder: Path | None, name: str, rows: Sequence[Tensor]) -> None:
    if folder is not None and rows:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"transfer-{name}.png").write_bytes(png(gray8(torch.cat(list(rows)).numpy())))
