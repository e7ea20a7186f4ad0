"""Training a classifier, and its evaluation against known answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning_fabric import Fabric

from cfcore.classifiers.densenet import BinaryDenseNet
from cfcore.classifiers.store import load_classifier, save_classifier
from cfcore.classifiers.training import ClassifierTask, augment, evaluate, predict
from cfcore.training.batches import Batches
from cfcore.training.loop import Schedule, train


@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(2, 30))
def test_auc_is_the_probability_of_a_right_order(seed: int, m: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    positive, negative = rng.integers(0, 8, m) / 8, rng.integers(0, 6, n) / 8
    wins = (positive[:, None] > negative).mean() + 0.5 * (positive[:, None] == negative).mean()
    got = evaluate(np.concatenate([positive, negative]), np.repeat([1, 0], [m, n]))
    assert got.auc == pytest.approx(wins)
    assert 0 <= got.auc_low <= got.auc <= got.auc_high <= 1


def test_delong_interval_covers() -> None:
    rng = np.random.default_rng(0)
    truth = 0.8413  # AUC of two unit normals sqrt(2) apart: Phi(1)
    covered = 0
    for _ in range(300):
        scores = np.concatenate([rng.normal(np.sqrt(2), 1, 40), rng.normal(0, 1, 60)])
        got = evaluate(1 / (1 + np.exp(-scores)), np.repeat([1, 0], [40, 60]))
        covered += got.auc_low <= truth <= got.auc_high
    assert 0.90 <= covered / 300 <= 0.99


def test_calibration_of_known_probabilities() -> None:
    probability, label = np.array([0.95] * 20 + [0.05] * 20), np.repeat([1, 0, 1, 0], [19, 1, 1, 19])
    got = evaluate(probability, label)
    assert got.calibration_error == pytest.approx(0.0, abs=1e-9)
    assert got.brier == pytest.approx(0.95 * 0.05)


def test_one_class_only_is_refused() -> None:
    with pytest.raises(ValueError, match="0 positive and 3 negative"):
        evaluate(np.full(3, 0.5), np.zeros(3))


def test_augmentation_keeps_range_and_shape() -> None:
    images = torch.rand(5, 1, 32, 32)
    out = augment(images, torch.Generator().manual_seed(0))
    assert out.shape == images.shape
    assert out.min() >= 0 and out.max() <= 1
    assert not torch.equal(out, images)
    assert torch.equal(out, augment(images, torch.Generator().manual_seed(0)))


def test_densenet_learns_and_comes_back_from_disk(tmp_path: Path) -> None:
    """Bright squares on noise: separable within a few iterations; stored weights give the same probabilities."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    labels = (torch.arange(64) % 2).long()
    images = torch.randint(0, 128, (64, 1, 32, 32), dtype=torch.uint8, generator=generator)
    images[labels == 1, :, 8:20, 8:20] += 120
    network = BinaryDenseNet(("plain", "square"), 32)
    task = ClassifierTask(network, 24, generator)
    batches = Batches(images, labels, 16, generator, balanced=True)
    train(task, batches, Schedule(24), tmp_path / "work", fabric=Fabric(accelerator="cpu", devices=1))
    network.eval()
    before = predict(network, images)
    assert evaluate(before.numpy(), labels.numpy()).auc > 0.95
    save_classifier(tmp_path / "model", network, {"name": "square"})
    again = load_classifier(tmp_path / "model")
    assert again.class_names == ("plain", "square") and again.size == (32, 32)
    assert torch.allclose(predict(again, images), before, atol=0.02)
    features = again.features(images[:2].float() / 255)
    weight, bias = again.head
    assert torch.allclose(features @ weight.T + bias, again.logits(images[:2].float() / 255), atol=1e-4)
    assert not any(parameter.requires_grad for parameter in again.parameters())
