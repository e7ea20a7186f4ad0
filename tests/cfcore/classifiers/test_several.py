"""Evaluation of several classes against known answers, and a training of three classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from cfcore.classifiers.resnet import ResidualNet
from cfcore.classifiers.several import evaluate_several, probabilities
from cfcore.classifiers.training import ClassifierTask, evaluate
from cfcore.training.batches import Batches
from cfcore.training.loop import Schedule, train

NAMES = ("a", "b", "c")


def test_accuracy_and_its_interval() -> None:
    rows = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])
    got = evaluate_several(rows, np.array([0, 1, 2, 1]), NAMES)
    assert got.accuracy == 0.75 and got.n == 4
    # Wilson's interval of 3 in 4.
    assert (got.accuracy_low, got.accuracy_high) == pytest.approx((0.3006, 0.9544), abs=1e-4)
    # One against the rest: a 0.8 against 0.2, 0.1, 0.6; b 0.7, 0.3 against 0.1, 0.2; c 0.7 against 0.1 each.
    assert got.macro_auc == 1.0
    # Bins of 0.6 (wrong), 0.7 and 0.7 (right), 0.8 (right).
    assert got.calibration_error == pytest.approx(0.25 * 0.6 + 0.5 * 0.3 + 0.25 * 0.2)


def test_the_macro_auc_is_the_mean_of_one_against_the_rest() -> None:
    rng = np.random.default_rng(0)
    rows, label = rng.dirichlet(np.ones(3), 60), rng.integers(0, 3, 60)
    one_by_one = []
    for i in range(3):
        mine, others = rows[label == i, i], rows[label != i, i]
        one_by_one.append((mine[:, None] > others).mean())
    assert evaluate_several(rows, label, NAMES).macro_auc == pytest.approx(np.mean(one_by_one))


def test_of_two_classes_it_is_the_auc() -> None:
    rng = np.random.default_rng(1)
    p, label = rng.random(50), rng.integers(0, 2, 50)
    got = evaluate_several(np.stack([1 - p, p], axis=1), label, ("no", "yes"))
    assert got.macro_auc == pytest.approx(evaluate(p, label).auc)
    assert got.accuracy == pytest.approx(evaluate(p, label).accuracy)


def test_a_class_without_images_is_named() -> None:
    with pytest.raises(ValueError, match="there are none of b, c"):
        evaluate_several(np.full((2, 3), 1 / 3), np.zeros(2, dtype=int), NAMES)


def test_three_classes_are_learnt(tmp_path: Path) -> None:
    """A bright bar at the top, in the middle or at the bottom."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    labels = torch.arange(60) % 3
    images = torch.randint(0, 100, (60, 1, 28, 28), dtype=torch.uint8, generator=generator)
    for i, label in enumerate(labels.tolist()):
        images[i, :, 2 + 9 * label : 8 + 9 * label] += 150
    network = ResidualNet("resnet18", NAMES, 28, width=0.125)
    task = ClassifierTask(network, 25, generator)
    batches = Batches(images, labels, 16, generator, balanced=True)
    train(task, batches, Schedule(25), tmp_path, fabric=Fabric(accelerator="cpu", devices=1))
    network.eval()
    found = probabilities(network, images)
    assert found.shape == (60, 3) and torch.allclose(found.sum(1), torch.ones(60))
    got = evaluate_several(found.double().numpy(), labels.numpy(), NAMES)
    assert got.accuracy > 0.9 and got.macro_auc > 0.95
