"""Factors are measured back on held-out renders, and only from phantoms."""

import csv
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cfcore.images.phantom import (
    Factors,
    Patient,
    counterfactual,
    measure,
    measure_batch,
    render,
    sample_patient,
)
from cfcore.images.phantom.fit import fit, targets, wide_patient
from cfcore.images.phantom.measure import TARGETS, WEIGHTS, Gauge

HELD_OUT = 700_000_000  # seeds that neither data sets nor the training of the gauge use
N = 250


@lru_cache(maxsize=1)
def held_out() -> tuple[list[Patient], list]:
    patients = [
        sample_patient(
            HELD_OUT + i, ("cardiomegaly", "effusion", "atelectasis")[i % 3], couple={"pacemaker": (0.5, 0.5)}
        )
        for i in range(N)
    ]
    return patients, measure_batch(np.stack([render(p, 64) for p in patients]))


def _pairs(name: str) -> tuple[np.ndarray, np.ndarray]:
    patients, readings = held_out()
    column = TARGETS.index(name)
    measured = [(p, m) for p, m in zip(patients, readings, strict=True) if m.measurable]
    kept = [(targets(p)[column], getattr(m, name)) for p, m in measured]
    true, read = np.array(kept).T
    return true, read


def _auc(score: np.ndarray, label: np.ndarray) -> float:
    return float((score[label == 1][:, None] > score[label == 0][None]).mean())


def test_phantoms_are_measurable() -> None:
    assert np.mean([m.measurable for m in held_out()[1]]) > 0.97


def test_cardiothoracic_ratio_within_a_hundredth() -> None:
    true, read = _pairs("cardiothoracic_ratio")
    assert np.abs(true - read).mean() <= 0.01


@pytest.mark.parametrize("side", ["left", "right"])
def test_effusion_level_within_two_percent_of_the_height(side: str) -> None:
    true, read = _pairs(f"effusion_{side}")
    assert np.abs(true - read).mean() <= 0.02
    assert np.abs(true - read)[true > 0].mean() <= 0.03


def test_device_is_seen() -> None:
    true, read = _pairs("device")
    assert 40 < true.sum() < 210
    assert _auc(read, true) >= 0.99


@pytest.mark.parametrize(
    ("name", "least"),
    [("mediastinal_shift", 0.8), ("atelectasis_left", 0.8), ("atelectasis_right", 0.8), ("opacity", 0.8), ("age", 0.6),
     ("lucency", 0.6), ("congestion", 0.7), ("barrel", 0.6), ("build", 0.6)],
)  # fmt: skip
def test_the_other_factors_follow_the_truth(name: str, least: float) -> None:
    assert np.corrcoef(*_pairs(name))[0, 1] > least


def test_a_change_is_measured_as_that_change() -> None:
    patient = Patient(HELD_OUT + 1000, Factors())
    before = measure(render(patient, 256))
    after = measure(render(counterfactual(patient, cardiothoracic_ratio=0.58, pacemaker=True), 256))
    assert before.measurable and after.measurable
    assert after.cardiothoracic_ratio - before.cardiothoracic_ratio == pytest.approx(0.13, abs=0.03)
    assert before.device < 0.5 < after.device
    assert abs(after.effusion_left - before.effusion_left) < 0.03


@pytest.mark.parametrize("kind", ["noise", "constant", "inverted", "upside down"])
def test_other_images_are_not_measurable(kind: str) -> None:
    phantom = render(Patient(HELD_OUT), 64)
    image = {
        "noise": np.random.default_rng(0).random((64, 64)),
        "constant": np.full((64, 64), 0.5),
        "inverted": 1.0 - phantom,
        "upside down": phantom[::-1],
    }[kind]
    reading = measure(image)
    assert not reading.measurable and reading.reason and reading.likeness > 1.0
    assert reading.cardiothoracic_ratio is None and reading.device is None


def test_real_radiographs_are_not_measurable() -> None:
    data = Path(os.environ.get("CFREADER_DATA", "../shared/data")) / "cxr"
    if not (data / "labels.csv").exists():
        pytest.skip("the real radiographs are not here: set CFREADER_DATA")
    with open(data / "labels.csv", newline="") as file:
        paths = [data / row["path"] for row in csv.DictReader(file) if row["path"].startswith(("nih256", "ucsd224"))]
    images = [np.asarray(Image.open(p).convert("L").resize((64, 64), Image.Resampling.BOX)) for p in paths[::40]]
    readings = measure_batch(np.stack(images) / np.float32(255))
    assert np.mean([m.measurable for m in readings]) < 0.05


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="size at least 64"):
        measure(np.zeros((32, 32)))
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        measure(np.full((64, 64), 255.0))
    with pytest.raises(ValueError, match=r"\(size, size\)"):
        measure(np.zeros((1, 64, 64)))


def test_weights_are_small_and_the_command_learns() -> None:
    assert WEIGHTS.stat().st_size < 1_000_000
    patients = [wide_patient(HELD_OUT + 2000 + i) for i in range(64)]
    images = torch.from_numpy(np.stack([render(p, 64) for p in patients]))
    truth = torch.tensor([targets(p) for p in patients])
    net = fit(images, truth, seed=0, epochs=6, batch=16)
    with torch.inference_mode():
        trained, untrained = ((n(images)[:, 0] * 0.1 - truth[:, 0]).abs().mean() for n in (net, Gauge().eval()))
    assert trained < 0.5 * untrained


def test_gauge_runs_on_meta() -> None:
    net = Gauge().to("meta")
    net(torch.empty(2, 64, 64, device="meta")).sum().backward()
    assert all(p.grad is not None and p.grad.device.type == "meta" for p in net.parameters())
