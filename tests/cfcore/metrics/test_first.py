"""The first counterfactual on a line whose flip is known, and what stands in where nothing flips."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.pgd import PGD, PGDConfig
from cfcore.metrics.first import first_counterfactuals


def levels(*values: float) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 1, 16, 16).clone()


def test_the_smallest_degree_of_the_grid_that_flips(classifier: Classifier) -> None:
    """Grey rises by 0.4 times the degree, and "bright" begins above 0.5: at 0.25, 0.625 and 0.875."""
    images = levels(0.41, 0.26, 0.16)
    engine = PGD(classifier, PGDConfig(budget=0.4, steps=110))
    pictures, degrees, found = first_counterfactuals(engine, images, 1, steps=10)
    assert found.all() and degrees.tolist() == pytest.approx([0.3, 0.7, 0.9])
    assert torch.allclose(pictures, images + 0.4 * degrees.view(3, 1, 1, 1), atol=1e-5)
    moved = engine.move(images[:1], 1, degree=float(degrees[0]), rendering="plain")
    assert torch.allclose(moved.counterfactual, pictures[:1], atol=1e-6) and bool(moved.flipped[0])
    fine = first_counterfactuals(engine, images, 1)[1]
    assert fine.tolist() == pytest.approx([0.23, 0.61, 0.86])


def test_where_nothing_flips_the_largest_margin_stands_in(classifier: Classifier) -> None:
    images = levels(0.05, 0.45)
    engine = PGD(classifier, PGDConfig(budget=0.1))
    pictures, degrees, found = first_counterfactuals(engine, images, 1, steps=4)
    assert found.tolist() == [False, True] and degrees.tolist() == [1.0, 0.75]
    assert torch.allclose(pictures[0], images[0] + 0.1, atol=1e-6)


def test_an_image_of_the_target_class_needs_no_degree(classifier: Classifier) -> None:
    _, degrees, found = first_counterfactuals(PGD(classifier, PGDConfig()), levels(0.7), 1)
    assert found.all() and degrees.tolist() == [0.0]
    with pytest.raises(ValueError, match="0 steps make no grid"):
        first_counterfactuals(PGD(classifier, PGDConfig()), levels(0.7), 1, steps=0)
