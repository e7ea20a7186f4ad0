"""What the phantom is worth, measured: speed, how hard it is, and how well its factors can be measured back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.store import load_classifier
from cfcore.classifiers.training import evaluate, predict
from cfcore.images.phantom import PATHOLOGIES, VERSION, Measurement, PhantomCase, build_dataset, measure_batch, render
from services.figures import ROOT, Figures, cached, measured, store
from services.models import SHIPPED_FOLDER

NAME = "bench-phantom"
SEED = 7
COMPONENTS = 128
SIZE = 64
SOURCES = ("cfcore/images/phantom", "services/phantom_bench.py")


@dataclass(frozen=True)
class Extent:
    """Phantoms a pathology: `fit` for PCA and logistic regression, `held_out` for every figure."""

    fit: int = 4000
    held_out: int = 800


QUICK = Extent(400, 100)


def bench_phantom(quick: bool = False, *, from_store: bool = False) -> dict[str, Any]:
    """Figures of the phantom at 64 px, per pathology on phantoms that no shipped model was trained on.

    Returns the object of `services.figures`: images_per_s (one core, wall), pca128_l1 (held-out L1 of 128 components);
    per pathology logistic_auc_* (the best of 12 regularised pixel regressions, chosen on the held-out images: an upper
    bound) and densenet_auc_* (the shipped classifier); ctr_error, effusion_error (share of the height), device_auc,
    measurable. A full run is kept under benchmarks/results/.
    """
    inputs = {f"{p} classifier": _card_hash(p) for p in PATHOLOGIES} | {"phantom": VERSION}
    if from_store:
        return cached(NAME, inputs)
    extent = QUICK if quick else Extent()
    settings = {"fit": extent.fit, "held_out": extent.held_out, "seed": SEED, "size": SIZE}
    result: Figures = measured(NAME, settings, lambda: _figures(extent))
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
    return [path] if path.is_file() else sorted([*path.glob("*.py"), *path.glob("*.safetensors")])


def _card_hash(pathology: str) -> str:
    from cfcore.training.weights import read_card

    return str(read_card(SHIPPED_FOLDER / f"phantom-{pathology}-classifier")["sha256"])


def _figures(extent: Extent) -> dict[str, float]:
    figures: dict[str, float] = {}
    errors: dict[str, list[float]] = {"ctr": [], "effusion": []}
    device: list[tuple[float, bool]] = []
    seen = []
    for pathology in PATHOLOGIES:
        cases = build_dataset(extent.fit + extent.held_out, SEED, pathology)
        started = time.perf_counter()
        images = np.stack([render(case.patient, SIZE) for case in cases])
        if pathology == PATHOLOGIES[0]:
            figures["images_per_s"] = len(cases) / (time.perf_counter() - started)
        labels = np.array([case.label for case in cases])
        scores, l1 = _components(torch.from_numpy(images.reshape(len(cases), -1)), extent.fit)
        if pathology == PATHOLOGIES[0]:
            figures["pca128_l1"] = l1
        figures[f"logistic_auc_{pathology}"] = _logistic_auc(scores, labels, extent.fit)
        held = torch.from_numpy(images[extent.fit :])[:, None]
        network = load_classifier(SHIPPED_FOLDER / f"phantom-{pathology}-classifier")
        probability = predict(network, held).double().numpy()
        figures[f"densenet_auc_{pathology}"] = evaluate(probability, labels[extent.fit :]).auc
        for case, reading in zip(cases[extent.fit :], measure_batch(images[extent.fit :]), strict=True):
            seen.append(reading.measurable)
            if reading.measurable:
                _compare(case, reading, errors, device)
    score, present = np.array([d[0] for d in device]), np.array([int(d[1]) for d in device])
    return figures | {
        "ctr_error": float(np.mean(errors["ctr"])),
        "effusion_error": float(np.mean(errors["effusion"])),
        "device_auc": evaluate(score, present).auc,
        "measurable": float(np.mean(seen)),
    }


def _compare(
    case: PhantomCase, reading: Measurement, errors: dict[str, list[float]], device: list[tuple[float, bool]]
) -> None:
    truth = case.patient.factors
    assert reading.cardiothoracic_ratio is not None and reading.device is not None
    assert reading.effusion_left is not None and reading.effusion_right is not None
    errors["ctr"].append(abs(reading.cardiothoracic_ratio - truth.cardiothoracic_ratio))
    errors["effusion"].append(abs(reading.effusion_left - truth.effusion_left))
    errors["effusion"].append(abs(reading.effusion_right - truth.effusion_right))
    device.append((reading.device, truth.pacemaker))


def _components(pixels: Tensor, fit: int) -> tuple[Tensor, float]:
    """(n, 400) standardised principal scores, and the held-out L1 of `COMPONENTS` components."""
    centred = pixels - pixels[:fit].mean(dim=0)
    # The Gram matrix is the smaller of the two that give the same components.
    values, left = torch.linalg.eigh((centred[:fit] @ centred[:fit].T).double())
    keep = values.flip(0) > 1e-6 * values[-1]
    vectors = functional.normalize(centred[:fit].T @ left.flip(1)[:, keep].float(), dim=0)
    held, basis = centred[fit:], vectors[:, :COMPONENTS]
    l1 = (held - held @ basis @ basis.T).abs().mean().item()
    scores = centred @ vectors[:, : min(400, fit // 2)]
    return scores / scores[:fit].std(dim=0), l1


def _logistic_auc(scores: Tensor, labels: np.ndarray, fit: int) -> float:
    target, best = torch.from_numpy(labels[:fit]).float(), 0.0
    for k in (64, 128, 256, 400):
        x = scores[:, :k]
        for decay in (1e-3, 1e-2, 1e-1):
            weight = _logistic(x[:fit], target, decay)
            probability = (x[fit:] @ weight[:-1] + weight[-1]).sigmoid().double().numpy()
            best = max(best, evaluate(probability, labels[fit:]).auc)
    return best


def _logistic(x: Tensor, y: Tensor, decay: float) -> Tensor:
    weight = torch.zeros(x.shape[1] + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=100)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(x @ weight[:-1] + weight[-1], y)
        loss = loss + decay / 2 * weight[:-1].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    return weight.detach()
