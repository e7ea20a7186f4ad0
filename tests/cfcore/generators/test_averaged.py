"""What the trainings of drawing networks share: other classes, the running average, pairs that do not fit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cfcore.generators.averaged import AveragedTask, check_classes, check_pair, grid_of
from cfcore.generators.drawn_quality import counterfactual_quality, redrawn_quality
from cfcore.training.batches import Part
from tests.cfcore.thirds import PARTS, Thirds, pictures


class Plain(AveragedTask[nn.Linear]):
    def step(self, batch: tuple[Tensor, ...], iteration: int, fabric: object) -> dict[str, float]:
        return {}


def task(half_life: float = 10.0, iterations: int | None = None) -> Plain:
    generator = torch.Generator().manual_seed(0)
    return Plain(nn.Linear(1, 1), generator, iterations, rate=1.0, betas=(0.9, 0.999), half_life=half_life)


def test_targets_are_each_other_class_as_often_and_never_the_own() -> None:
    source = torch.arange(4).repeat(2000)
    found = task().others(source, 4)
    counts = torch.bincount(source * 4 + found, minlength=16).view(4, 4)
    assert (counts.diagonal() == 0).all()
    others = counts[~torch.eye(4, dtype=torch.bool)]
    assert (others - 2000 / 3).abs().max() < 5 * (2000 * 2 / 9) ** 0.5


def test_two_processes_draw_what_one_would() -> None:
    source = torch.arange(8) % 3
    whole, normal = task(), task()
    targets, noise = whole.others(source, 3), whole.normal(8, 2, torch.zeros(1))
    for index in range(2):
        half = task()
        half.part = Part(index, 2)
        assert torch.equal(half.others(half.part.of(source), 3), half.part.of(targets))
        assert torch.equal(half.normal(4, 2, torch.zeros(1)), half.part.of(noise))
    assert normal.normal(1, 1, torch.zeros(1)).shape == (1, 1)


def test_the_average_forgets_half_in_its_half_life() -> None:
    one = task(half_life=10.0)
    with torch.no_grad():
        one.average.weight.fill_(1.0)
        one.model.weight.fill_(0.0)
    one.follow(10)
    assert one.average.weight.item() == pytest.approx(0.5)
    none = task(half_life=0.0)
    none.model.weight.data.fill_(3.0)
    none.follow(1)
    assert none.average.weight.item() == 3.0


def test_the_rate_falls_along_half_a_cosine() -> None:
    one = task(iterations=100)
    rates = []
    for iteration in (0, 50, 99):
        one.begin(torch.zeros(2, 1, 4, 4), iteration)
        rates.append(one.optimizers["model"].param_groups[0]["lr"])
    assert rates[0] == 1.0 and rates[1] == pytest.approx(0.5) and rates[2] < 0.001


def test_pairs_that_do_not_fit_are_refused() -> None:
    check_pair(16, 1, Thirds())
    check_classes(3, Thirds())
    with pytest.raises(
        ValueError, match=r"draws 1 channel\(s\) of \(28, 28\) pixels, the classifier takes 1 of \(16, 16\)"
    ):
        check_pair(28, 1, Thirds())
    with pytest.raises(ValueError, match=r"draws 3 channel\(s\) of"):
        check_pair(16, 3, Thirds())
    with pytest.raises(ValueError, match="leads to 10 classes, the classifier has 3: choose the pair"):
        check_classes(10, Thirds())


def test_a_grid_has_a_row_a_kind() -> None:
    rows = [torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)]
    picture = grid_of(rows)
    assert picture.shape == (8, 8) and (picture[:4] == 0).all() and (picture[4:] == 1).all()


def test_quality_counts_flips_and_distances() -> None:
    """Pictures whose third is moved by hand are all valid; left as they are, none is."""
    images, _ = pictures(30)

    def moved(real: Tensor, source: Tensor, target: Tensor) -> Tensor:
        out = torch.zeros_like(real)
        for i, wanted in enumerate(target.tolist()):
            out[i, :, :, slice(*PARTS[wanted])] = 1
        return out

    found = counterfactual_quality(moved, Thirds(), images)
    assert found["validity"] == 1.0 and 0.2 < found["l1_moved"] < 1
    assert counterfactual_quality(lambda real, s, t: real, Thirds(), images) == {"validity": 0.0, "l1_moved": 0.0}
    dimmed = redrawn_quality(lambda real, source: real - 0.05, Thirds(), images)
    assert dimmed["agreement"] == 1.0 and dimmed["l1"] == pytest.approx(0.05)
