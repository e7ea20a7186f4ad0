"""Curves and shares on attributions whose numbers can be counted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.attribution.curves import Curve, deletion, drop_curve, insertion, mass_share, share_above, top_iou
from cfcore.attribution.score import Score
from cfcore.classifiers.base import Classifier


class Corner(Classifier):
    """ "Spot" by the brightness of the four pixels in the first corner: logit 20 (their mean - 0.5)."""

    class_names, channels, size = ("Clear", "Spot"), 1, (8, 8)

    def logits(self, images: Tensor) -> Tensor:
        logit = 20 * (images[:, :, :2, :2].mean(dim=(1, 2, 3)) - 0.5)
        return torch.stack([torch.zeros_like(logit), logit], dim=1)


@pytest.fixture
def spots() -> tuple[Tensor, Tensor]:
    """(images with a bright corner, where that is)."""
    images = 0.2 * torch.ones(2, 1, 8, 8)
    images[:, :, :2, :2] = 1.0
    return images, images > 0.5


def test_the_drop_comes_with_the_pixels_that_count(spots: tuple[Tensor, Tensor]) -> None:
    images, truth = spots
    score, shares = Score(Corner(), 1), torch.tensor([0.0, 2 / 64, 4 / 64, 0.3])
    right = drop_curve(score, images, truth.float(), shares)
    assert right.values.shape == (2, 4) and torch.equal(right.values[:, 0], torch.zeros(2))
    assert (right.values[:, 1] < 0.1 * right.values[:, 2]).all() and (right.values[:, 2:] > 0.98).all()
    wrong = drop_curve(score, images, (~truth).float(), shares, "black")
    assert wrong.values.abs().max() == 0


def test_deletion_and_insertion_prefer_the_right_map(spots: tuple[Tensor, Tensor]) -> None:
    images, truth = spots
    score = Score(Corner(), 1)
    right, wrong = truth.float(), (~truth).float()
    assert (deletion(score, images, right).area < 0.1).all() and (deletion(score, images, wrong).area > 0.9).all()
    good, bad = (insertion(score, images, worth, fill="mean").area for worth in (right, wrong))
    assert (good > 0.9).all() and (bad < 0.1).all()
    curve = deletion(score, images, right, steps=4)
    assert curve.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    whole = insertion(score, images, right, steps=4).values
    assert torch.allclose(whole[:, -1], score.probability(images))


def test_area_is_the_mean_height() -> None:
    shares = torch.tensor([0.1, 0.2, 0.4])
    assert Curve(shares, torch.tensor([[0.5, 0.5, 0.5]])).area.item() == pytest.approx(0.5)
    assert Curve(shares, torch.tensor([[0.0, 0.3, 0.9]])).area.item() == pytest.approx((0.015 + 0.12) / 0.3)


def test_shares_of_pixels_can_be_counted() -> None:
    attribution = torch.tensor([[8.0, -1.0], [0.5, 0.5]]).view(1, 1, 2, 2)
    assert mass_share(attribution, 0.8).item() == 0.25 and mass_share(attribution).item() == 0.5
    assert mass_share(attribution, 1.0).item() == 1.0
    assert share_above(attribution, 0.1).item() == 0.5 and share_above(attribution).item() == 1.0
    nothing = torch.zeros(1, 1, 2, 2)
    assert mass_share(nothing).isnan().all() and share_above(nothing, 0).item() == 0
    assert mass_share(torch.ones(1, 1, 5, 7), 1.0).item() == 1.0


def test_overlap_with_the_truth(spots: tuple[Tensor, Tensor]) -> None:
    _, truth = spots
    assert top_iou(truth.float(), truth).tolist() == [1, 1] and top_iou(-truth.float(), truth).tolist() == [1, 1]
    assert top_iou(-truth.float(), truth, by="value").tolist() == [0, 0]
    half = torch.zeros(2, 1, 8, 8)
    half[:, :, :2, 1:3] = 1
    assert top_iou(half, truth)[0].item() == pytest.approx(2 / 6)
    assert top_iou(half, torch.zeros_like(truth)).isnan().all()


def test_what_makes_no_sense_is_refused(spots: tuple[Tensor, Tensor]) -> None:
    images, truth = spots
    with pytest.raises(ValueError, match=r"mask is \(2, 1, 8, 8\), the attribution \(2, 1, 4, 4\)"):
        top_iou(torch.rand(2, 1, 4, 4), truth)
    with pytest.raises(ValueError, match="mass is 0"):
        mass_share(truth.float(), 0)
    with pytest.raises(ValueError, match="threshold is 1"):
        share_above(truth.float(), 1)
    with pytest.raises(ValueError, match="steps is 0"):
        deletion(Score(Corner(), 1), images, truth.float(), steps=0)
    with pytest.raises(ValueError, match="resize them first"):
        drop_curve(Score(Corner(), 1), torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4), torch.tensor([0.1]))
