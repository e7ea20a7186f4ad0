"""The search: equal to Algorithm 1, true to planted axes, and what its short cuts keep."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier, target_margin
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.engines.eigenfind.basis import eigenvectors
from cfcore.engines.eigenfind.naive import algorithm_1, as_public_code
from cfcore.engines.eigenfind.search import search
from cfcore.engines.first_order import direction_effects
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.training.weights import freeze

CONFIG = EigenFindConfig(scan=6, k=4, degree=8.0)


class Axes(StylEx):
    """A toy of six known w axes: axis i adds `effect[i]` to the brightness of every pixel per unit, and bends: twice
    the effect beyond a length of 1, so that first-order effects rank rightly and tell wrong amounts."""

    effect: ClassVar[Tensor] = torch.tensor([0.01, -0.08, 0.0, 0.05, -0.02, 0.03])
    labels: ClassVar[list[Tensor]] = []

    def __init__(self) -> None:
        super().__init__(StylExConfig(size=16, width=6, condition=1, channels={4: 4, 8: 4, 16: 4}))

    def encode(self, images: Tensor) -> Tensor:
        return torch.cat([images.mean(dim=(1, 2, 3))[:, None] * 100, torch.zeros(len(images), 5)], dim=1)

    def decode(self, w: Tensor, label: Tensor) -> Tensor:
        self.labels.append(label.clone())
        bent = w[:, 1:] + (w[:, 1:].abs() - 1).clamp(min=0) * w[:, 1:].sign()
        level = w[:, 0] * self.effect[0] + bent @ self.effect[1:]
        return level.clamp(0, 1)[:, None, None, None].expand(-1, 1, 16, 16)

    def style_weights(self) -> Tensor:
        return torch.diag(torch.tensor([6.0, 5.0, 4.0, 3.0, 2.0, 1.0]))


class Trained(Classifier):
    """A convolution with batch norm, whose statistics would betray a pass in training mode."""

    class_names = ("negative", "positive")
    channels = 1
    size = (16, 16)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 196, 2))

    def logits(self, images: Tensor) -> Tensor:
        return self.network(images)


def ranking(engine: EigenFind) -> list[str]:
    return [entry.name for entry in engine.directions()]


def kept(engine: EigenFind) -> list[str]:
    return [entry.name for entry in engine.directions() if entry.kept]


@pytest.mark.parametrize("count", [1, 10])
def test_ours_equals_algorithm_1_and_the_public_code(
    stylex: StylEx, classifier: Classifier, images: Tensor, count: int
) -> None:
    images = images[:count] * 0.82 + 0.08
    engine = EigenFind.fit(classifier, images, 1, CONFIG, generator=stylex)
    ours = engine.explain(images, 1, rendering="plain")
    for reference in (algorithm_1, as_public_code):
        found = reference(classifier, stylex, images, 1, engine.basis, 8.0, 4)
        assert ranking(engine) == [f"v{pair // 2 + 1} {'+-'[pair % 2]}" for pair in found.order]
        offset = engine.probability(ours.reconstruction, 1).logit() - engine.probability(images, 1).logit()
        for entry in engine.directions():
            pair = 2 * entry.index + (entry.sign < 0)
            assert entry.mean_change == pytest.approx((found.changes[:, pair] - offset).mean().item(), abs=1e-3)
            assert entry.explained == pytest.approx(found.flips[:, pair].float().mean().item())
        names = [None if place < 0 else ranking(engine)[place] for place in found.place.tolist()]
        assert list(ours.direction) == names and any(names)
        for mine, theirs in zip(ours.counterfactual, found.explained, strict=True):
            assert theirs is None or torch.allclose(mine, theirs[0], atol=1e-5)


def test_the_walk_agrees_with_what_the_search_knows(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    """Plain explanations of searched images need no walk, and say what a walk says; others are walked."""
    engine = EigenFind.fit(classifier, images, 1, CONFIG, generator=stylex)
    known = engine.explain(images, 1, rendering="plain")
    engine._known = {}
    walked = engine.explain(images, 1, rendering="plain")
    assert known.direction == walked.direction
    assert torch.equal(known.tried, walked.tried)
    assert torch.allclose(known.counterfactual, walked.counterfactual, atol=1e-6)
    engine = EigenFind.fit(classifier, images[:4], 1, CONFIG, generator=stylex)
    mixed = engine.explain(images, 1, rendering="plain")
    engine._known = {}
    again = engine.explain(images, 1, rendering="plain")
    assert mixed.direction == again.direction and torch.equal(mixed.tried, again.tried)


def test_searched_images_are_not_judged_again(stylex: StylEx, images: Tensor) -> None:
    class Counting(Trained):
        judged = 0

        def logits(self, images: Tensor) -> Tensor:
            type(self).judged += len(images)
            return super().logits(images)

    classifier = Counting()
    freeze(classifier)
    source = images[classifier.logits(images).argmax(dim=1) == 0]
    target = 1
    if len(source) < 2:
        source, target = images[classifier.logits(images).argmax(dim=1) == 1], 0
    Counting.judged = 0
    engine = EigenFind.fit(classifier, source, target, CONFIG, generator=stylex)
    # One look at the source for its class, one at the reconstruction, one at every move.
    assert Counting.judged == len(source) * (1 + 1 + 12)
    Counting.judged = 0
    engine.explain(source, target, rendering="plain")
    # The source, its reconstruction and the winner for the report; no other move.
    assert Counting.judged == len(source) * 3
    Counting.judged = 0
    names, pictures = engine.winners(source, target)
    assert Counting.judged == 0
    out = engine.explain(source, target, rendering="plain")
    assert names == out.direction and torch.equal(pictures, out.counterfactual)


@pytest.mark.parametrize("basis", ["sefa", "balanced", "style"])
def test_first_order_effects_are_those_of_one_backward_pass(
    stylex: StylEx, classifier: Classifier, images: Tensor, basis: str
) -> None:
    engine = EigenFind.fit(
        classifier, images, 1, EigenFindConfig(basis=basis, scan=6, k=4, prerank=12),  # type: ignore[arg-type]
        generator=stylex,
    )  # fmt: skip
    codes = engine.encode(images, 1)
    effects, margins = engine._first_order(codes, 1)
    w, label = codes[:, :-1], codes[:, -1].long()
    expected = direction_effects(stylex, classifier, w, label, 1, engine.basis, basis)  # type: ignore[arg-type]
    assert torch.allclose(effects, expected, atol=1e-4)
    zeros = torch.zeros(10, engine.basis.shape[1])
    assert torch.allclose(margins, target_margin(engine._judge(codes, zeros), 1), atol=1e-5)


@given(st.integers(0, 2**31 - 1))
@settings(max_examples=15)
def test_pca_directions_are_the_known_axes_up_to_sign(seed: int) -> None:
    """Affines built as U S V^T: the right singular vectors come back in order, unit length."""
    generator = torch.Generator().manual_seed(seed)
    model = StylEx(StylExConfig(size=16, width=8, condition=2, channels={4: 4, 8: 4, 16: 4}))
    m = model.style_dimension
    left = torch.linalg.qr(torch.randn(m, 8, generator=generator)).Q
    axes = torch.linalg.qr(torch.randn(8, 8, generator=generator)).Q
    stacked = left @ torch.diag(torch.arange(8, 0, -1).float()) @ axes.T
    start = 0
    for affine in model.synthesis.affines:
        rows = affine.weight.shape[0]
        affine.weight.data[:, :8] = stacked[start : start + rows] / affine.gain
        start += rows
    found = eigenvectors(model, Trained(), torch.empty(0), EigenFindConfig(scan=8, k=1))
    assert torch.allclose((found @ axes).abs(), torch.eye(8), atol=1e-3)
    assert (found.gather(1, found.abs().argmax(dim=1, keepdim=True)) > 0).all()


def test_style_directions_are_the_known_axes_up_to_sign(images: Tensor) -> None:
    """Styles spread along two known axes: PCA gives these two, the wider one first."""
    axes = torch.linalg.qr(torch.randn(12, 2, generator=torch.Generator().manual_seed(5))).Q.T

    class Spread(StylEx):
        def styles(self, w: Tensor, label: Tensor) -> Tensor:
            first, second = w[:, 0], w[:, 1]
            return 3.0 * first[:, None] * axes[0] + second[:, None] * axes[1] + 7.0

        def encode(self, images: Tensor) -> Tensor:
            angle = images.flatten(1)[:, 0] * 2 * math.pi * 10
            return torch.stack([angle.cos(), angle.sin()], dim=1)

    ring = (torch.arange(10) / 100).view(10, 1, 1, 1).expand(10, 1, 16, 16)
    model = Spread(StylExConfig(size=16, width=2, condition=1, channels={4: 4, 8: 4, 16: 4}))
    found = eigenvectors(model, Trained().eval(), ring, EigenFindConfig(basis="style", scan=2, k=1))
    assert torch.allclose((found @ axes.T).abs(), torch.eye(2), atol=1e-3)


def test_the_condition_stays_the_sources_through_search_and_explanation(classifier: Classifier, images: Tensor) -> None:
    Axes.labels.clear()
    engine = EigenFind.fit(classifier, images, 1, EigenFindConfig(scan=6, k=4, degree=4.0), generator=Axes())
    out = engine.explain(images, 1)
    engine.least_degrees(images, 1, ["v2 -"])
    assert out.flipped.any()
    assert len(Axes.labels) > 10 and torch.cat(Axes.labels).eq(0).all()


@pytest.mark.parametrize("options", [{}, {"prerank": 6}, {"halving": 1}, {"race": 2}, {"refine": 2}])
def test_classifier_and_generator_are_bit_identical_before_and_after(
    stylex: StylEx, images: Tensor, options: dict[str, int]
) -> None:
    classifier = Trained()
    freeze(classifier)
    before = {k: v.clone() for m in (classifier, stylex) for k, v in m.state_dict().items()}
    called = classifier.logits(images).argmax(dim=1)
    target = 1 - int(called.mode().values)
    source = images[called != target]
    engine = EigenFind.fit(classifier, source, target, EigenFindConfig(scan=6, k=4, **options), generator=stylex)
    engine.explain(source, target)
    engine.least_degrees(source, target, kept(engine)[:2])
    after = {k: v for m in (classifier, stylex) for k, v in m.state_dict().items()}
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not classifier.training and not stylex.training


@pytest.mark.parametrize(
    "options", [{"prerank": 5}, {"halving": 2}, {"prerank": 8, "halving": 1}, {"race": 3}, {"prerank": 10, "race": 3}]
)
def test_short_cuts_keep_the_planted_pairs(classifier: Classifier, images: Tensor, options: dict[str, int]) -> None:
    """The signs and the order of the planted effects: axis 2 down, 4 up, 6 up, 5 down."""
    images = images.repeat(4, 1, 1, 1)
    full = EigenFind.fit(classifier, images, 1, EigenFindConfig(scan=6, k=4, degree=4.0), generator=Axes())
    config = EigenFindConfig(scan=6, k=4, degree=4.0, **options)
    short = EigenFind.fit(classifier, images, 1, config, generator=Axes())
    assert kept(full) == kept(short) == ["v2 -", "v4 +", "v6 +", "v5 -"]
    assert len(ranking(short)) < len(ranking(full)) == 12
    for entry in short.directions():
        assert entry.mean_change == pytest.approx(full.direction(entry.name).mean_change, abs=1e-4)
        assert entry.explained == full.direction(entry.name).explained


@given(
    n=st.integers(1, 40),
    planted=st.integers(0, 19),
    sign=st.integers(0, 1),
    rounds=st.integers(0, 4),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=40)
def test_halving_never_drops_the_planted_pair_and_never_more_than_it_may(
    n: int, planted: int, sign: int, rounds: int, seed: int
) -> None:
    """One direction moves every image by more than the noise of all others: it stays, and so do k + 4 pairs."""
    noise = torch.randn(n, 20, generator=torch.Generator().manual_seed(seed))

    def judge(codes: Tensor, shift: Tensor) -> Tensor:
        row = codes[:, 0].long()
        margin = (noise[row] * shift).sum(dim=1) + 100 * (1 - 2 * sign) * shift[:, planted]
        return torch.stack([torch.zeros_like(margin), margin], dim=1)

    config = EigenFindConfig(scan=20, k=3, degree=1.0, halving=rounds)
    calls: list[float] = []
    found = search(
        judge, torch.arange(n)[:, None].float(), torch.eye(20), 1, config, lambda share, message: calls.append(share)
    )
    assert found.complete[planted, sign]
    assert int(found.complete.sum()) >= 7
    assert calls == sorted(calls) and calls[-1] == 1.0
    if rounds == 0:
        assert found.complete.all()
    elif n >= 16:
        assert int(found.complete.sum()) == max(7, math.ceil(40 / 2**rounds))


def test_short_cuts_that_make_no_sense_are_refused(stylex: StylEx, images: Tensor) -> None:
    with pytest.raises(ValueError, match="prerank must be 0 or from k = 8 to 2 scan = 40"):
        EigenFindConfig(prerank=7)
    with pytest.raises(ValueError, match="halving must be from 0 to 4"):
        EigenFindConfig(halving=5)
    with pytest.raises(ValueError, match="set prerank, halving and race to 0"):
        EigenFindConfig(consistent=True, prerank=20)

    class Opaque(Trained):
        def logits(self, images: Tensor) -> Tensor:
            return super().logits(images).detach()

    blind = Opaque()
    freeze(blind)
    called = blind.logits(images).argmax(dim=1)
    target = 1 - int(called.mode().values)
    with pytest.raises(TypeError, match="passes no gradients"):
        config = EigenFindConfig(scan=6, k=4, prerank=6)
        EigenFind.fit(blind, images[called != target], target, config, generator=stylex)
