"""Subset selection under Table 1's criteria, against drawing every step of a subset anew."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.attfind import AttFind, AttFindConfig
from cfcore.generators.stylex import StylEx
from cfcore.metrics.explained import walk_directions
from cfcore.metrics.validity import judge
from services.reproduce.subsets import walk_subsets


class Above(Classifier):
    """ "Bright" above a mean brightness."""

    class_names = ("dark", "bright")
    channels = 1
    size = (64, 64)

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def logits(self, images: Tensor) -> Tensor:
        margin = 40 * (images.mean(dim=(1, 2, 3)) - self.threshold)
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


@pytest.fixture
def images() -> Tensor:
    noise = torch.rand(24, 1, 64, 64, generator=torch.Generator().manual_seed(8))
    return noise * torch.linspace(0.2, 0.9, 24).view(-1, 1, 1, 1)


@pytest.fixture
def engine(small_stylex: StylEx, images: Tensor) -> AttFind:
    """Calls what is a little brighter than the reconstructions bright."""
    drawn = small_stylex.decode(small_stylex.encode(images), torch.zeros(24, dtype=torch.long))
    classifier = Above(drawn.mean(dim=(1, 2, 3)).max().item() + 0.01)
    return AttFind.fit(
        classifier, images[:4] * 0.2, 1, AttFindConfig(k=12, degree=1.0), generator=small_stylex, training=images
    )


def test_a_subset_grows_until_every_criterion_is_met(engine: AttFind, images: Tensor) -> None:
    dark = images[engine.classifier.logits(images)[:, 1] < 0]
    kept = [d for d in engine.directions() if d.kept]
    walks = walk_subsets(engine, dark, 1, kept, 1.0)
    plain = walks["plain"]
    assert plain.explained.any(), "nothing to test"
    assert (plain.tried[plain.explained] > 1).any(), "no image needs two coordinates"
    start = engine.move(dark, 1, direction=kept[0].name, degree=0.0, rendering="plain").counterfactual
    for rendering, walk in walks.items():
        base = start if rendering == "plain" else dark
        for i in walk.explained.nonzero()[:, 0].tolist():
            name = walk.direction[i]
            assert name is not None
            parts = name.split(", ")
            assert len(parts) == walk.tried[i] <= 10
            held = []
            for n in range(1, len(parts) + 1):
                moved = engine.move(dark[i : i + 1], 1, direction=", ".join(parts[:n]), degree=1.0, rendering=rendering)
                verdict = judge(engine.classifier, base[i : i + 1], moved.counterfactual, 1)
                held.append(bool(verdict.holds))
            assert held == [False] * (len(parts) - 1) + [True]
            assert walk.l1[i].item() == pytest.approx(verdict.l1.item(), abs=1e-5)
        assert (walk.explained <= walk.flipped).all() and (walk.explained <= walk.faithful).all()


def test_an_image_that_one_coordinate_explains_is_counted_by_both_selections(engine: AttFind, images: Tensor) -> None:
    dark = images[engine.classifier.logits(images)[:, 1] < 0]
    kept = [d for d in engine.directions() if d.kept]
    alone = walk_directions(engine, dark, 1, kept, 1.0, renderings=("plain",))["plain"]
    joint = walk_subsets(engine, dark, 1, kept, 1.0, renderings=("plain",))["plain"]
    assert torch.equal(alone.faithful, joint.faithful)
    assert (joint.tried[joint.explained] == 1).sum() <= alone.explained.sum()
    assert alone.counts[0] <= joint.counts[0]
    none = walk_subsets(engine, dark, 1, [], 1.0, renderings=("plain",))["plain"]
    assert not none.flipped.any() and none.direction == (None,) * len(dark) and none.tried.tolist() == [0] * len(dark)
