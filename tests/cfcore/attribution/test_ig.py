"""Integrated Gradients add up, from every baseline, and know what they were given."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.attribution.fills import paint
from cfcore.attribution.ig import integrated_gradients
from cfcore.attribution.score import Score
from cfcore.classifiers.base import Classifier


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("baseline", ["black", "mean", "blur", "given"])
def test_the_attribution_adds_up_to_the_change_of_the_score(curved: Classifier, images: Tensor, baseline: str) -> None:
    score = Score(curved, 1)
    start = images.flip(3) if baseline == "given" else paint(images, baseline)  # type: ignore[arg-type]
    found = integrated_gradients(score, images, start if baseline == "given" else baseline)  # type: ignore[arg-type]
    assert found.values.shape == (3, 1, 4, 4) and found.values.dtype == torch.float32
    assert torch.allclose(found.change, score(images) - score(start), atol=1e-6)
    assert found.change.abs().max() > 0.1 and found.gap.abs().max() < 1e-4 * found.change.abs().max()


def test_the_gap_shrinks_with_the_steps(curved: Classifier, images: Tensor) -> None:
    coarse, fine = (integrated_gradients(Score(curved, 1), 8 * images, steps=n).gap.abs().max() for n in (2, 64))
    assert fine < 0.01 * coarse


def test_a_linear_score_gives_weight_times_difference(images: Tensor) -> None:
    class Linear(Classifier):
        class_names, channels, size = ("No", "Yes"), 1, (4, 4)

        def logits(self, images: Tensor) -> Tensor:
            logit = (images * torch.arange(16.0).view(4, 4)).sum(dim=(1, 2, 3))
            return torch.stack([torch.zeros_like(logit), logit], dim=1)

    expected = torch.arange(16.0).view(4, 4) * (images - paint(images, "mean"))
    assert torch.allclose(integrated_gradients(Score(Linear(), 1), images, "mean").values, expected, atol=1e-5)
    against = integrated_gradients(Score(Linear(), 1, against=True), images, "mean", steps=1)
    assert torch.allclose(against.values, -expected, atol=1e-5)


def test_an_image_does_not_depend_on_its_neighbours(curved: Classifier, images: Tensor) -> None:
    together = integrated_gradients(Score(curved, 1), images, steps=20).values
    assert torch.equal(together[1:2], integrated_gradients(Score(curved, 1), images[1:2], steps=20).values)


def test_what_makes_no_sense_is_refused(curved: Classifier, images: Tensor) -> None:
    score = Score(curved, 1)
    with pytest.raises(ValueError, match="no baseline 'grey'; choose one of: black, mean, blur, or give images"):
        integrated_gradients(score, images, "grey")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"baseline is \(1, 1, 4, 4\), the images are \(3, 1, 4, 4\)"):
        integrated_gradients(score, images, images[:1])
    with pytest.raises(ValueError, match="steps is 0"):
        integrated_gradients(score, images, steps=0)
    with pytest.raises(ValueError, match="resize them first"):
        integrated_gradients(score, torch.rand(1, 1, 8, 8))
