"""The triangulation term of a training: which triple each side of the mirror takes, worked out by hand, lam 1.5.

Pictures are flat, so that a distance is a difference of two greys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cfcore.classifiers.base import Classifier
from cfcore.generators.mirror import MirrorDecoder
from cfcore.generators.mirror.model import config_for
from cfcore.generators.mirror.recipes import PAPER
from cfcore.generators.mirror.training import MirrorTask
from cfcore.generators.mirror.view import View, Way

SIDE = 16
SOURCE, TARGET = 0.2, 0.85  # greys of the images


class Even(MirrorDecoder):
    """Flat pictures, a fifth of the point's first feature light."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__(config_for(classifier, width=4, most=4, code=4))
        self.shade = nn.Parameter(torch.tensor(0.2))

    def draw(self, moved: Tensor, skips: Sequence[Tensor], maps: Tensor, tau: Tensor) -> Tensor:
        return (self.shade * moved[:, :1]).expand(-1, 1, SIDE, SIDE)


def flat(*greys: float) -> Tensor:
    """(n, 1, 16, 16), a leaf that keeps its gradient."""
    return torch.tensor(greys)[:, None, None, None].repeat(1, 1, SIDE, SIDE).requires_grad_(True)


def a_way(z: Sequence[tuple[float, float]], source: Sequence[int], target: Sequence[int]) -> Way:
    """Rows at `z`, each four steps of the first feature away from its mirror point."""
    points, n = torch.tensor(z), len(z)
    view = View([points[:, :, None, None]], points, functional.one_hot(torch.tensor(source), 3).float())
    step = torch.tensor([[4.0, 0.0]]).repeat(n, 1)
    return Way(view, torch.tensor(target), step, torch.zeros(n, 3), torch.zeros(n, 2, 1, 1))


@pytest.fixture
def model(small: Classifier) -> Even:
    return Even(small)


@pytest.fixture
def task(model: Even, small: Classifier) -> MirrorTask:
    return MirrorTask(model, small, PAPER, torch.Generator().manual_seed(0), 10)


def slope(drawn: Tensor) -> Tensor:
    """(n,) derivative by each picture's grey."""
    assert drawn.grad is not None
    return drawn.grad.flatten(1).sum(dim=1)


# By hand, z_s = (0, 0). Past the mirror: z_k = (2, 0) at k = 0.5 and (3, 0) at k = 0.75, the landmark at (k x 4, 6), so
# that beta is 6 / 2 = 3 and 6 / 3 = 2; d_s = x - 0.2, d_t = 0.85 - x. Each d_t may be beta d_s / 1.5 to 1.5 beta d_s.
# Before it, k = 0.25: z_k = (1, 0), G(z_1) = 0.8 at (4, 0), the landmark is the source, so that beta is 1 / 3;
# d_o = 0.8 - x, d_l = x - 0.2.
BY_HAND = {
    "k = 0.75, 0.45 of 0.2667 to 0.6": (0.75, 0.4, 0.0, 0.0),
    "k = 0.75, 0.6 of 0.0667 to 0.15": (0.75, 0.25, 0.45, -1 - 1.5 * 2),
    "k = 0.75, 0.05 of 0.8 to 1.8": (0.75, 0.8, 0.75, 2 / 1.5 + 1),
    "k = 0.5, 0.35 of 0.6 to 1.35": (0.5, 0.5, 0.25, 3 / 1.5 + 1),
    "k = 0.5, 0.55 of 0.2 to 0.45": (0.5, 0.3, 0.1, -1 - 1.5 * 3),
    "k = 0.25, 0.15 of 0.1 to 0.225": (0.25, 0.35, 0.0, 0.0),
    "k = 0.25, 0.3 of 0.0667 to 0.15": (0.25, 0.5, 0.15, 1 + 1.5 / 3),
    "k = 0.25, 0.05 of 0.1222 to 0.275": (0.25, 0.25, 0.55 / 4.5 - 0.05, -1 / 4.5 - 1),
}


@pytest.mark.parametrize(("k", "grey", "value", "gradient"), BY_HAND.values(), ids=BY_HAND)
def test_each_side_of_the_mirror_by_hand(
    k: float, grey: float, value: float, gradient: float, task: MirrorTask, model: Even
) -> None:
    """Row 1 is the landmark; its own target, class 2, is not in the batch, so that it counts for nothing."""
    way, drawn = a_way([(0.0, 0.0), (4 * k, 6.0)], [0, 1], [1, 2]), flat(grey, 0.4)
    found = task._triangulation(flat(SOURCE, TARGET).detach(), way, drawn, torch.tensor([k, 0.9]))
    found.backward()
    assert found.item() == pytest.approx(value, abs=1e-6)
    assert slope(drawn).tolist() == pytest.approx([gradient, 0.0], abs=1e-5)
    assert model.shade.grad is None, "G(z_1) is a landmark: it is not moved itself"


def test_a_batch_of_both_sides_is_a_mean_over_rows_with_a_landmark(task: MirrorTask) -> None:
    """Rows 0 and 2 are one image on both sides, 0.45 and 0.15 off; row 1, the landmark, has none of its own."""
    way = a_way([(0.0, 0.0), (3.0, 6.0), (0.0, 0.0)], [0, 1, 0], [1, 2, 2])
    images, drawn = flat(SOURCE, TARGET, SOURCE).detach(), flat(0.25, 0.4, 0.5)
    before = images.clone()
    found = task._triangulation(images, way, drawn, torch.tensor([0.75, 0.9, 0.25]))
    found.backward()
    assert found.item() == pytest.approx((0.45 + 0.15) / 2, abs=1e-6)
    assert slope(drawn).tolist() == pytest.approx([-4 / 2, 0.0, 1.5 / 2], abs=1e-5)
    assert torch.equal(images, before) and way.view.z[2].tolist() == [0.0, 0.0]


def test_a_batch_without_any_landmark_adds_nothing(task: MirrorTask) -> None:
    way, drawn = a_way([(0.0, 0.0), (3.0, 6.0)], [0, 1], [2, 2]), flat(0.25, 0.4)
    found = task._triangulation(flat(SOURCE, TARGET).detach(), way, drawn, torch.tensor([0.75, 0.5]))
    found.backward()
    assert found.item() == 0 and torch.equal(slope(drawn), torch.zeros(2))


@pytest.mark.parametrize(
    ("most", "value", "gradient"), [(0.4, (0.4 + 0.15) / 2, 0.0), (0.5, (0.45 + 0.15) / 2, -4 / 2)]
)
def test_an_image_adds_its_most_and_then_no_gradient(
    most: float, value: float, gradient: float, model: Even, small: Classifier
) -> None:
    settings = replace(PAPER, triangulation_most=most)
    task = MirrorTask(model, small, settings, torch.Generator().manual_seed(0), 10)
    way = a_way([(0.0, 0.0), (3.0, 6.0), (0.0, 0.0)], [0, 1, 0], [1, 2, 2])
    drawn = flat(0.25, 0.4, 0.5)
    images = flat(SOURCE, TARGET, SOURCE).detach()
    found = task._triangulation(images, way, drawn, torch.tensor([0.75, 0.9, 0.25]))
    found.backward()
    assert found.item() == pytest.approx(value, abs=1e-6)
    assert slope(drawn).tolist() == pytest.approx([gradient, 0.0, 1.5 / 2], abs=1e-5)


@pytest.mark.parametrize(
    ("k", "landmarks"),
    [(0.75, {0.45: TARGET, 0.35: 0.75}), (0.25, {0.15: SOURCE, 0.2: 0.15})],
    ids=["of the target class", "of the source class, the source among them"],
)
def test_landmarks_are_drawn_from_all_of_their_class(
    k: float, landmarks: dict[float, float], model: Even, small: Classifier
) -> None:
    """Row 1 is of row 0's class, rows 2 and 3 are of its target: of one z, but other greys. They themselves lead to
    class 2, which the batch does not hold."""
    way = a_way([(0.0, 0.0), (0.0, 0.0), (3.0, 6.0), (3.0, 6.0)], [0, 0, 1, 1], [1, 2, 2, 2])
    images, seen = flat(SOURCE, 0.15, TARGET, 0.75).detach(), set()
    grey = 0.25 if k > 0.5 else 0.5
    for seed in range(12):
        task = MirrorTask(model, small, PAPER, torch.Generator().manual_seed(seed), 10)
        drawn = flat(grey, 0.4, 0.4, 0.4)
        found = task._triangulation(images, way, drawn, torch.tensor([k, 0.9, 0.9, 0.9]))
        seen.add(round(found.item(), 5))
    assert seen == set(landmarks)
