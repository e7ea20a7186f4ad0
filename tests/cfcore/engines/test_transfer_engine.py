"""The renderings through an engine: what is judged is what is shown, along paths and curves too."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import pytest
import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.engines.base import Engine, Explanation, Progress, Rendering, silent
from cfcore.engines.transfer import keep_mask
from cfcore.rendering import DEFAULT_RENDERING, EXPLAINED, RENDERINGS, keeps_source

SIDE = 64


class Filled(Classifier):
    """ "Large" where the mean exceeds 0.42."""

    class_names = ("Small", "Large")
    channels = 1
    size = (SIDE, SIDE)

    def logits(self, images: Tensor) -> Tensor:
        logit = 60 * (images.mean(dim=(1, 2, 3)) - 0.42)
        return torch.stack([torch.zeros_like(logit), logit], dim=1)


def disc(radius: Tensor, side: int) -> Tensor:
    """(n, 1, side, side): discs of (n,) radii, in pixels of 64."""
    place = (torch.arange(side) + 0.5) * SIDE / side
    distance = ((place[None, :] - 32).square() + (place[:, None] - 32).square()).sqrt()
    return 0.3 + 0.4 * ((radius[:, None, None, None] - distance) * side / SIDE + 0.5).clamp(0, 1)


class Grow(Engine):
    """Draws a disc of radius 16 that grows by a pixel a degree."""

    name, title, paper = "grow", "Growing disc", "none: a test"
    Config = dict

    def __init__(self) -> None:
        super().__init__()
        self.classifier, self.size = Filled(), (SIDE, SIDE)

    @classmethod
    def fit(
        cls,
        classifier: Classifier,
        images: Tensor,
        target: int,
        config: Any,
        progress: Progress = silent,
        *,
        generator: nn.Module | None = None,
    ) -> Self:
        return cls()

    def encode(self, images: Tensor, target: int) -> Tensor:
        return torch.full((len(images), 1), 16.0)

    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        return torch.nn.functional.avg_pool2d(disc(codes[:, 0] + degrees, 4 * SIDE), 4)

    def explain(
        self, images: Tensor, target: int, *, rendering: Rendering = DEFAULT_RENDERING, progress: Progress = silent
    ) -> Explanation:
        return self.move(images, target, degree=4.0, rendering=rendering)

    def save(self, folder: Path) -> None:
        folder.mkdir()

    @classmethod
    def load(cls, folder: Path, classifier: Classifier, *, generator: nn.Module | None = None) -> Self:
        return cls()


@pytest.fixture
def images() -> Tensor:
    g = torch.Generator().manual_seed(0)
    texture = 0.01 * torch.rand(2, 1, 160, 160, generator=g)
    pictures = disc(torch.tensor([16.0, 16.0]), 160) + texture
    pictures[1, 0, 4:30, 6:10] = 1.0
    return pictures


@pytest.mark.parametrize("rendering", RENDERINGS)
def test_the_classifier_judges_what_is_shown(images: Tensor, rendering: Rendering) -> None:
    engine = Grow()
    moved = engine.move(images, 1, degree=4.0, rendering=rendering)
    side = 160 if keeps_source(rendering) else SIDE
    assert moved.counterfactual.shape[2:] == (side, side)
    assert torch.equal(moved.p_counterfactual, engine.probability(moved.counterfactual, 1))
    ((degree, frame, share),) = engine.path(images, 1, torch.tensor([4.0]), rendering=rendering)
    assert degree == 4.0 and torch.equal(frame, moved.counterfactual) and torch.equal(share, moved.p_counterfactual)
    curve = engine.probabilities_along(images, 1, torch.tensor([0.0, 4.0]), rendering=rendering)
    assert (curve[:, 1] - moved.p_counterfactual).abs().max() < 0.02
    if keeps_source(rendering):
        assert (curve[:, 0] - engine.probability(images, 1)).abs().max() < 0.02


def test_warped_transfer_moves_the_border_and_keeps_the_letter(images: Tensor) -> None:
    engine = Grow()
    additive, warped = (
        engine.move(images, 1, degree=4.0, rendering=name).counterfactual
        for name in ("detail transfer", "warped transfer")
    )
    truth = disc(torch.tensor([20.0, 20.0]), 160) + (images - disc(torch.tensor([16.0, 16.0]), 160))
    error = [(shown[0] - truth[0]).abs().mean() for shown in (additive, warped)]
    assert error[1] < 0.8 * error[0]
    letter = keep_mask(images)
    assert letter[1, 0, 4:30, 6:10].all() and not letter[0].any()
    assert torch.equal(warped[letter], images[letter])


def test_a_mask_of_ones_own_is_kept(images: Tensor) -> None:
    engine = Grow()
    base, moved = (engine._render(torch.tensor([[16.0]] * 2), images, None, torch.full((2,), d), 1) for d in (0.0, 4.0))
    keep = torch.zeros(2, 1, 160, 160, dtype=torch.bool)
    keep[:, :, 60:100, 60:100] = True
    shown = engine.transfer(images, base, moved, "warped transfer", keep=keep)
    assert torch.equal(shown[keep], images[keep]) and not torch.equal(shown, images)


def test_one_source_stands_for_many_moves(images: Tensor) -> None:
    engine = Grow()
    degrees = torch.tensor([1.0, 2.0, 4.0])
    moved = engine._render(torch.full((3, 1), 16.0), images[:1], None, degrees, 1)
    base = engine._render(torch.full((1, 1), 16.0), images[:1], None, torch.zeros(1), 1)
    together = engine.transfer(images[:1], base, moved, "warped transfer")
    alone = engine.transfer(images[:1], base, moved[2:], "warped transfer")
    assert together.shape == (3, 1, 160, 160) and (together[2:] - alone).abs().mean() < 1e-3


def test_the_attribution_of_a_method_without_a_map_is_the_size_of_its_change(images: Tensor) -> None:
    engine = Grow()
    engine.default_degree = 3.0
    codes = torch.tensor([[16.0], [20.0]])
    found = engine.attribution(codes, images, 1)
    drawn = [engine._render(codes, images, None, torch.full((2,), d), 1) for d in (0.0, 3.0)]
    assert found.shape == (2, 1, SIDE, SIDE) and found.min() == 0 and not engine.signed_attribution
    assert torch.allclose(found, (drawn[1] - drawn[0]).abs())
    assert found[0, 0, 32, 49] > 0.3 and found[0, 0, 32, 32] == 0, "the rim grows, the middle stays"


def test_renderings_are_one_list() -> None:
    assert set(EXPLAINED) == set(RENDERINGS) and DEFAULT_RENDERING in RENDERINGS
    assert [keeps_source(name) for name in RENDERINGS] == [True, True, False]
    with pytest.raises(ValueError, match="no rendering 'sharp'; choose one of: detail transfer, warped"):
        keeps_source("sharp")
    with pytest.raises(ValueError, match="2D images"):
        Grow().transfer(torch.rand(1, 1, 8, 8, 8), torch.rand(1, 1, 8, 8, 8), torch.rand(1, 1, 8, 8, 8), RENDERINGS[1])
