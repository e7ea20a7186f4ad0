"""EigenFind: the planted direction is found, Algorithm 1's numbers, and what it refuses."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier, is_class, target_margin
from cfcore.engines.base import Engine
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.engines.eigenfind.search import Measured, ranked
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.training.weights import freeze

CONFIG = EigenFindConfig(scan=6, k=4, degree=8.0)


class Planted(StylEx):
    """A toy whose w axes are known: axis 0 is brightness, axis 1 a ramp, axis 2 nothing; strengths 3 : 2 : 1."""

    def __init__(self) -> None:
        super().__init__(StylExConfig(size=16, width=3, condition=1, channels={4: 4, 8: 4, 16: 4}))

    def encode(self, images: Tensor) -> Tensor:
        zeros = torch.zeros(len(images))
        return torch.stack([images.mean(dim=(1, 2, 3)) * 10, zeros, zeros], dim=1)

    def decode(self, w: Tensor, label: Tensor) -> Tensor:
        ramp = torch.linspace(-0.01, 0.01, 16).view(1, 1, 1, 16)
        return (w[:, :1, None, None] / 10 + w[:, 1:2, None, None] * ramp).clamp(0, 1).expand(-1, 1, 16, 16)

    def style_weights(self) -> Tensor:
        return torch.diag(torch.tensor([3.0, 2.0, 1.0]))


def test_planted_direction_is_found_first(classifier: Classifier, images: Tensor) -> None:
    engine = EigenFind.fit(classifier, images, 1, EigenFindConfig(scan=3, k=2, degree=3.0), generator=Planted())
    best = engine.directions()[0]
    assert (best.name, best.kept, best.explained) == ("v1 +", True, 1.0)
    assert best.mean_change == pytest.approx(40 * 0.3, rel=1e-4)
    assert engine.directions()[-1].name == "v1 -"
    out = engine.explain(images, 1, rendering="plain")
    assert out.direction == ("v1 +",) * 10
    assert out.flipped.all() and out.tried.tolist() == [1] * 10


def test_moves_drawn_together_add_up_in_w(classifier: Classifier, images: Tensor) -> None:
    engine = EigenFind.fit(classifier, images, 1, EigenFindConfig(scan=3, k=2, degree=3.0), generator=Planted())
    codes, n = engine.encode(images, 1), len(images)
    # Half the moves would leave [0, 1] and come back: a sum of pictures, each clamped, could not show that.
    far, back = torch.full((n,), 12.0), torch.full((n,), -11.0)
    mixed = engine.draw(codes, images, {"v1 +": far, "v2 +": torch.full((n,), 4.0)}, 1)
    ramp = torch.linspace(-0.01, 0.01, 16).view(1, 1, 1, 16)
    assert torch.allclose(mixed, (codes[:, :1, None, None] / 10 + 1.2 + 4 * ramp).clamp(0, 1).expand_as(mixed))
    alone = engine.draw(codes, images, {"v1 +": torch.ones(n)}, 1)
    assert torch.allclose(engine.draw(codes, images, {"v1 +": far, "v1 -": -back}, 1), alone, atol=1e-6)
    assert torch.equal(engine.draw(codes, images, {}, 1), engine.draw(codes, images, {"v3 +": torch.zeros(n)}, 1))
    changes = [engine.draw(codes, images, {v: torch.full((n,), 2.0)}, 1) for v in ("v1 +", "v2 -")]
    base = engine.draw(codes, images, {}, 1)
    summed = Engine._render_mix(
        engine, codes, images, {"v1 +": torch.full((n,), 2.0), "v2 -": torch.full((n,), 2.0)}, 1
    )
    assert torch.allclose(summed, (base + sum(change - base for change in changes)).clamp(0, 1), atol=1e-6)


def test_least_degree_is_where_the_classifier_changes_its_mind(classifier: Classifier, images: Tensor) -> None:
    engine = EigenFind.fit(classifier, images, 1, EigenFindConfig(scan=3, k=2, degree=3.0), generator=Planted())
    least = engine.least_degree(images, 1, "v1 +", rendering="plain")
    expected = (0.5 - images.mean(dim=(1, 2, 3))) * 10
    assert torch.allclose(least, expected, atol=3 / 2**11)
    assert engine.least_degree(images, 1, "v1 -", rendering="plain").isnan().all()


def test_search_equals_algorithm_1_taken_literally(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    engine = EigenFind.fit(classifier, images, 1, CONFIG, generator=stylex)
    vectors = torch.linalg.svd(stylex.style_weights().double(), full_matrices=False).Vh[:6].float()
    label = torch.zeros(1, dtype=torch.long)
    for entry in engine.directions():
        vector = vectors[entry.index] * vectors[entry.index][vectors[entry.index].abs().argmax()].sign()
        deltas, flips = [], []
        for image in images.split(1):
            w = stylex.encode(image)
            before = classifier.logits(stylex.decode(w, label))
            after = classifier.logits(stylex.decode(w + entry.sign * 8.0 * vector, label))
            deltas.append(target_margin(after, 1) - target_margin(before, 1))
            flips.append(is_class(after, 1).float())
        assert entry.mean_change == pytest.approx(torch.cat(deltas).mean().item(), abs=1e-4)
        assert entry.explained == pytest.approx(torch.cat(flips).mean().item())
    changes = [entry.mean_change for entry in engine.directions()]
    assert changes == sorted(changes, reverse=True)
    assert [entry.kept for entry in engine.directions()] == [True] * 4 + [False] * 8


@pytest.mark.parametrize("basis", ["sefa", "balanced", "style"])
@pytest.mark.parametrize("rendering", ["plain", "detail transfer"])
def test_explanations_keep_their_promises(
    stylex: StylEx, classifier: Classifier, images: Tensor, basis: str, rendering: str
) -> None:
    """Three probabilities, flips judged on what is shown, the source's resolution, the same bytes twice."""
    sources = torch.nn.functional.interpolate(images, size=40, mode="bilinear")
    config = EigenFindConfig(basis=basis, scan=6, k=4, degree=8.0)  # type: ignore[arg-type]
    engine = EigenFind.fit(classifier, sources, 1, config, generator=stylex)
    out = engine.explain(sources, 1, rendering=rendering)  # type: ignore[arg-type]
    size = 40 if rendering == "detail transfer" else 16
    assert out.counterfactual.shape == (10, 1, size, size)
    assert out.counterfactual.min() >= 0 and out.counterfactual.max() <= 1
    again = engine.explain(sources, 1, rendering=rendering)  # type: ignore[arg-type]
    assert torch.equal(out.counterfactual, again.counterfactual)
    assert torch.allclose(out.p_counterfactual, engine.probability(out.counterfactual, 1))
    assert torch.allclose(out.p_source, engine.probability(sources, 1))
    assert torch.allclose(out.p_reconstruction, engine.probability(out.reconstruction, 1))
    assert torch.equal(out.flipped, out.p_counterfactual > 0.5)
    assert [name is not None for name in out.direction] == out.flipped.tolist()
    assert [math.isnan(s) for s in out.strength.tolist()] == [name is None for name in out.direction]


def test_moving_by_degree_zero_changes_nothing(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    engine = EigenFind.fit(classifier, images, 1, CONFIG, generator=stylex)
    name = engine.directions()[0].name
    still = engine.move(images, 1, direction=name, degree=0.0)
    assert torch.allclose(still.counterfactual, images, atol=1e-6)
    moved = engine.move(images, 1, direction=name, degree=8.0)
    degrees = torch.tensor([0.0, 8.0])
    frames = list(engine.path(images, 1, degrees, direction=name))
    assert torch.allclose(frames[1][1], moved.counterfactual, atol=1e-5)
    curve = engine.probabilities_along(images, 1, degrees, direction=name)
    assert torch.allclose(curve[:, 1], moved.p_counterfactual, atol=1e-4)


def test_the_condition_stays_the_sources_class(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    engine = EigenFind.fit(classifier, images, 1, CONFIG, generator=stylex)
    assert engine.encode(images, 1)[:, -1].tolist() == [0.0] * 10
    bright = (images + 0.5).clamp(0, 1)
    assert engine.encode(bright, 0)[:, -1].tolist() == [1.0] * 10


def test_round_trip_on_disk(stylex: StylEx, classifier: Classifier, images: Tensor, tmp_path: Path) -> None:
    engine = EigenFind.fit(classifier, images, 1, CONFIG, generator=stylex)
    engine.save(tmp_path)
    again = EigenFind.load(tmp_path, classifier, generator=stylex)
    assert again.directions() == engine.directions() and again.config == engine.config
    assert torch.equal(again.explain(images, 1).counterfactual, engine.explain(images, 1).counterfactual)


def test_consistent_drops_an_eigenvector_that_rises_both_ways() -> None:
    found = Measured(torch.tensor([[[3.0, 2.0], [1.0, -1.0]]]), torch.zeros(1, 2, 2, dtype=torch.bool))
    kept = [d.name for d in ranked(found, EigenFindConfig(scan=2, k=2, consistent=True)) if d.kept]
    assert kept == ["v2 +", "v2 -"]
    assert [d.name for d in ranked(found, EigenFindConfig(scan=2, k=2)) if d.kept] == ["v1 +", "v1 -"]


def test_what_cannot_be_searched_is_refused(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    with pytest.raises(ValueError, match="needs a trained StylEx"):
        EigenFind.fit(classifier, images, 1, CONFIG)
    with pytest.raises(ValueError, match="at least one image"):
        EigenFind.fit(classifier, images[:0], 1, CONFIG, generator=stylex)
    with pytest.raises(ValueError, match="'bright' for the classifier already"):
        EigenFind.fit(classifier, images + 0.5, 1, CONFIG, generator=stylex)
    with pytest.raises(ValueError, match="has only 32: lower scan"):
        EigenFind.fit(classifier, images, 1, EigenFindConfig(scan=33), generator=stylex)
    with pytest.raises(ValueError, match="degree must be positive"):
        EigenFindConfig(degree=0)
    three = StylEx(StylExConfig(size=16, width=8, classes=3, channels={4: 4, 8: 4, 16: 4}))
    freeze(three)
    with pytest.raises(ValueError, match="trained for 3 classes"):
        EigenFind.fit(classifier, images, 1, CONFIG, generator=three)
    engine = EigenFind.fit(classifier, images, 1, CONFIG, generator=stylex)
    with pytest.raises(ValueError, match="no direction 'v99"):
        engine.move(images, 1, direction="v99 +", degree=1.0)


def test_search_can_be_cancelled(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    from cfcore.engines.base import Cancelled

    def stop(share: float, message: str) -> None:
        if share > 0.3:
            raise Cancelled(message)

    with pytest.raises(Cancelled, match="of 120 moves"):
        EigenFind.fit(classifier, images, 1, CONFIG, stop, generator=stylex)
