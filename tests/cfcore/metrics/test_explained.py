"""Walking the kept directions against the same thing done one image at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.base import NamedDirection
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.generators.stylex import StylEx
from cfcore.metrics.explained import best_directions, distinct, walk_directions
from cfcore.metrics.validity import Criteria, classes_of, gaussian_blur


@pytest.fixture
def engine(stylex: StylEx, classifier: Classifier, images: Tensor) -> EigenFind:
    return EigenFind.fit(classifier, images, 1, EigenFindConfig(scan=6, k=12, degree=8.0), generator=stylex)


def test_the_walk_is_what_it_says(engine: EigenFind, images: Tensor) -> None:
    criteria = Criteria(blur=1.0, most_l1=0.3)
    found = walk_directions(engine, images, 1, engine.directions(), 8.0, criteria=criteria)
    c = engine.classifier
    some = {"plain": 0, "detail transfer": 0}
    for i in range(len(images)):
        one = images[i : i + 1]
        base = engine._render(engine.encode(one, 1), one, "v1 +", torch.zeros(1), 1)
        for rendering, walk in found.items():
            flips, name, tried = False, None, 0
            for entry in engine.directions():
                tried += 1
                moved = engine._render(engine.encode(one, 1), one, entry.name, torch.tensor([8.0]), 1)
                start = base if rendering == "plain" else one
                picture = moved if rendering == "plain" else (one + moved - base).clamp(0, 1)
                flip = bool(c.logits(picture).argmax() == 1)
                flips |= flip
                close = (picture - start).abs().mean().item() <= 0.3
                if flip and close and bool(c.logits(gaussian_blur(picture, 1.0)).argmax() == 1):
                    name = entry.name
                    assert walk.l1[i].item() == pytest.approx((picture - start).abs().mean().item(), abs=1e-5)
                    break
            assert (bool(walk.flipped[i]), walk.direction[i], int(walk.tried[i])) == (flips, name, tried)
            assert bool(walk.explained[i]) == (name is not None and bool(walk.faithful[i]))
            some[rendering] += name is not None
        assert bool(found["plain"].faithful[i]) == bool(c.logits(base).argmax() == c.logits(one).argmax())
    assert max(some.values()) > 0, "the toy must explain something, or this test says nothing"


def test_a_tighter_criterion_never_explains_more(engine: EigenFind, images: Tensor) -> None:
    counts = [
        walk_directions(engine, images, 1, engine.directions(), 8.0, criteria=Criteria(0, most))["plain"].counts
        for most in (1.0, 0.25, 0.2, 0.01)
    ]
    assert counts == sorted(counts, reverse=True) and counts[-1][0] == 0
    loose = walk_directions(engine, images, 1, engine.directions(), 8.0, criteria=Criteria(0, 1.0))["plain"]
    assert torch.equal(loose.explained, loose.flipped & loose.faithful)


def test_what_cannot_be_walked_is_refused(engine: EigenFind, images: Tensor) -> None:
    with pytest.raises(ValueError, match="fit the engine first"):
        walk_directions(engine, images, 1, (), 8.0)
    assert classes_of(engine.classifier, images + 0.4).tolist() == [1] * 10
    with pytest.raises(ValueError, match="'bright' for the classifier already"):
        walk_directions(engine, images + 0.4, 1, engine.directions(), 8.0)


def test_a_smaller_scan_is_a_part_of_the_larger_one(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    wide, narrow = (
        EigenFind.fit(classifier, images, 1, EigenFindConfig(scan=scan, k=3, degree=8.0), generator=stylex)
        for scan in (6, 2)
    )
    kept = [d.name for d in narrow.directions() if d.kept]
    assert [d.name for d in best_directions(wide.directions(), 2, 3)] == kept


def test_distinct_eigenvectors_keep_their_better_sign() -> None:
    ranked = [
        NamedDirection(f"v{i + 1} {s}", i, 1, 0.0, 0.0, True) for i, s in ((4, "-"), (4, "+"), (0, "+"), (2, "-"))
    ]
    assert [d.name for d in distinct(ranked, 2)] == ["v5 -", "v1 +"]
    assert [d.name for d in distinct(ranked, 9)] == ["v5 -", "v1 +", "v3 -"]
