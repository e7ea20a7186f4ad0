"""Wachter's method on a linear classifier: over the boundary and hardly further, by the pixels that count most."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.wachter import Wachter, WachterConfig


def _weights(linear: Classifier) -> Tensor:
    (w,) = (value.detach() for name, value in linear.named_parameters() if name == "w")
    return w


@pytest.mark.parametrize("loss", ["cross-entropy", "squared"])
def test_it_stops_close_behind_the_boundary(linear: Classifier, low: Tensor, loss: str) -> None:
    found = Wachter(linear, WachterConfig(loss=loss)).explain(low, 1, rendering="plain")  # type: ignore[arg-type]
    assert found.flipped.all() and found.direction == ("Wachter",) * 5
    assert (found.p_counterfactual < 0.75).all()
    l1 = (found.counterfactual - low).abs().flatten(1).sum(dim=1)
    # The least L1 moves only the pixels of the largest weight; moving all pixels alike takes far more.
    needed = -(linear.logits(low)[:, 1]).detach()
    w = _weights(linear).abs()
    assert (l1 >= needed / w.max() - 1e-3).all() and (l1 < 0.9 * needed / w.mean()).all()


def test_the_weight_grows_until_the_image_flips(linear: Classifier, low: Tensor) -> None:
    """A weight too small for any pixel never flips; so few rounds are an honest failure, more are not."""
    short = Wachter(linear, WachterConfig(weight=0.01, rounds=2)).explain(low, 1, rendering="plain")
    assert short.direction == (None,) * 5 and short.strength.isnan().all() and not short.flipped.any()
    assert (short.p_counterfactual >= short.p_source).all(), "the best that was tried"
    long = Wachter(linear, WachterConfig(weight=0.01, growth=8.0, rounds=4)).explain(low, 1, rendering="plain")
    assert long.flipped.all()


def test_an_image_leaves_after_the_round_in_which_it_flips(linear: Classifier, low: Tensor) -> None:
    sizes: list[int] = []
    real = linear.logits

    class Counting(type(linear)):  # type: ignore[misc]
        def logits(self, images: Tensor) -> Tensor:
            sizes.append(len(images))
            return real(images)

    above = torch.full_like(low[:1], 0.5)
    Wachter(Counting(), WachterConfig(weight=0.3, rounds=3, steps=20)).encode(torch.cat([low, above]), 1)
    assert sizes[:20] == [6] * 20 and sizes[20] < 6 and sizes == sorted(sizes, reverse=True)


def test_an_image_of_the_target_class_stays(linear: Classifier, low: Tensor) -> None:
    found = Wachter(linear, WachterConfig()).explain(low, 0, rendering="plain")
    assert torch.equal(found.counterfactual, low) and found.flipped.all()


def test_the_trade_off_grows_with_the_weight(linear: Classifier, low: Tensor) -> None:
    """The minimiser of lambda -log p + |x' - x|_1 moves no pixel where lambda w (1 - p) < 1, and more for more."""
    config = WachterConfig(weight=0.5, growth=4.0, rounds=5)
    found = Wachter(linear, config).trade_off(low, 1)
    assert [weight for weight, _ in found] == [0.5, 2.0, 8.0, 32.0, 128.0]
    distances = [(pictures - low).abs().flatten(1).sum(dim=1).mean() for _, pictures in found]
    margins = [linear.logits(pictures)[:, 1].detach() for _, pictures in found]
    assert all(a < b for a, b in pairwise(distances))
    assert all((a < b).all() for a, b in pairwise(margins))
    largest, p = _weights(linear).max(), margins[0].sigmoid()
    assert (0.5 * largest * (1 - p) < 1).all() and distances[0] < 0.5 and (margins[0] < 0).all()
    assert (margins[-1] > 0).all(), "no image left, so the last round holds all"


def test_numbers_that_cannot_be_are_refused() -> None:
    for wrong, message in (
        ({"loss": "hinge"}, "no loss 'hinge'; choose one of: cross-entropy, squared"),
        ({"rounds": 0}, "rounds is 0: choose at least 1"),
        ({"steps": 0}, "steps is 0"),
        ({"weight": 0.0}, "weight is 0: choose a number above 0"),
        ({"growth": 1.0}, "growth is 1: choose a factor above 1"),
    ):
        with pytest.raises(ValueError, match=message):
            WachterConfig(**wrong)  # type: ignore[arg-type]
