"""PGD on a classifier whose gradient is known: where it goes, that it stays within its budget, and in [0, 1]."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.pgd import PGD, PGDConfig


@pytest.mark.parametrize("budget", [8 / 255, 0.3])
@pytest.mark.parametrize("target", [0, 1])
def test_it_moves_by_at_most_its_budget(classifier: Classifier, images: Tensor, budget: float, target: int) -> None:
    moved = PGD(classifier, PGDConfig(budget=budget)).move(images, target, degree=1.0, rendering="plain")
    change = moved.counterfactual - images
    assert change.abs().max() <= budget + 1e-6
    assert moved.counterfactual.min() >= 0 and moved.counterfactual.max() <= 1
    # Brightness speaks for class 1 in every pixel: each goes as far as it may.
    end = (images + budget if target else images - budget).clamp(0, 1)
    assert torch.allclose(moved.counterfactual, end, atol=1e-6)


def test_steps_below_the_budget_move_by_their_sum(linear: Classifier, low: Tensor) -> None:
    config = PGDConfig(budget=0.3, steps=5)
    moved = PGD(linear, config).move(low, 1, degree=1.0, rendering="plain").counterfactual
    (w,) = (value for name, value in linear.named_parameters() if name == "w")
    expected = (low + 5 / 255 * w.detach().sign().view(8, 8)).clamp(0, 1)
    assert torch.allclose(moved, expected, atol=1e-6)


def test_it_returns_a_picture_whether_it_flips_or_not(linear: Classifier, low: Tensor) -> None:
    """The margin of the first image lies 0.5 below, that of the last 2: only some come over with so small a budget."""
    weak = PGD(linear, PGDConfig(budget=0.05)).explain(low, 1, rendering="plain")
    assert weak.flipped.any() and not weak.flipped.all()
    assert weak.direction == ("PGD",) * 5 and (weak.strength == 1).all()
    assert PGD(linear, PGDConfig(budget=0.3)).explain(low, 1, rendering="plain").flipped.all()


def test_a_certain_classifier_does_not_stop_it(classifier: Classifier, images: Tensor) -> None:
    """At p = 1 to rounding the cross-entropy has no gradient; its logit has."""
    white = torch.ones_like(images)
    moved = PGD(classifier, PGDConfig(budget=0.6, steps=200)).explain(white, 0, rendering="plain")
    assert (moved.p_source < 1e-8).all() and moved.flipped.all()


def test_numbers_that_cannot_be_are_refused() -> None:
    for wrong, message in (
        ({"budget": 0.0}, "budget is 0: choose above 0 and at most 1"),
        ({"budget": 1.5}, "budget is 1.5"),
        ({"steps": 0}, "steps is 0: choose at least 1"),
        ({"step": -1.0}, "step is -1: choose a number above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            PGDConfig(**wrong)  # type: ignore[arg-type]
