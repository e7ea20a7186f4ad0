"""Mirror-CFE as an engine: exact confidence where the decoder is exact, the first counterfactual, what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import Classifier
from cfcore.classifiers.store import build_classifier
from cfcore.engines.mirror import MirrorCFEConfig, MirrorEngine
from cfcore.engines.mirror.engine import CONFIDENCE, MIRROR
from cfcore.generators.mirror import MirrorDecoder
from cfcore.generators.stylex import StylEx
from cfcore.training.weights import freeze
from tests.cfcore.graded import small_decoder, trained_classifier
from tests.cfcore.pooled import Exact, Pooled


class Brightness(Pooled):
    """Two classes by mean brightness, through one map of 4 x 4 px: a head with one logit, 12 (z - 0.5)."""

    class_names = ("dark", "bright")
    channels = 1
    size = (16, 16)

    def pyramid(self, images: Tensor) -> list[Tensor]:
        return [images, functional.avg_pool2d(images, 4)]

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        return torch.tensor([[0.0], [12.0]]), torch.tensor([0.0, -6.0])


class Stubborn(Exact):
    """The source, whatever is asked for."""

    def draw(self, moved: Tensor, skips: Sequence[Tensor], maps: Tensor, tau: Tensor) -> Tensor:
        return skips[0].clone()


@pytest.fixture
def brightness() -> Classifier:
    return Brightness()


@pytest.fixture
def dark() -> Tensor:
    """Five dark images, away from black and white in their mirror images, too."""
    drawn = torch.Generator().manual_seed(4)
    return torch.linspace(0.35, 0.45, 5).view(5, 1, 1, 1) + 0.1 * (torch.rand(5, 1, 16, 16, generator=drawn) - 0.5)


@pytest.fixture
def small() -> Classifier:
    return trained_classifier()


@pytest.fixture
def decoder(small: Classifier) -> MirrorDecoder:
    return small_decoder(small)


@pytest.fixture
def engine(brightness: Classifier, dark: Tensor) -> MirrorEngine:
    return MirrorEngine.fit(brightness, dark, 1, MirrorCFEConfig(), generator=Exact(brightness))


def test_the_mirror_image_has_the_opposite_logit(engine: MirrorEngine, dark: Tensor) -> None:
    found = engine.move(dark, 1, degree=1.0, rendering="plain")
    assert torch.allclose(found.reconstruction, dark, atol=1e-5)
    assert torch.allclose(found.p_counterfactual, 1 - found.p_source, atol=1e-5) and found.flipped.all()
    half = engine.move(dark, 1, direction="mirror", degree=0.5, rendering="plain")
    assert torch.allclose(half.p_counterfactual, torch.full((5,), 0.5), atol=1e-5)
    first, second = engine.directions()
    assert (first.name, second.name, first.explained) == ("mirror", "confidence", 1.0)
    expected = 2 * (6 - 12 * dark.mean(dim=(1, 2, 3))).mean().item()
    assert first.mean_change == pytest.approx(expected, rel=1e-4)


def test_a_wanted_confidence_is_obtained(engine: MirrorEngine, dark: Tensor) -> None:
    wanted = torch.tensor([0.4, 0.5, 0.6])
    p = engine.probabilities_along(dark, 1, wanted, direction="confidence", rendering="plain")
    low, high = engine.reachable(dark, 1)
    assert torch.allclose(p.double(), wanted.double().clamp(low[:, None], high[:, None]), atol=1e-5)
    # The slider goes from 0 to 1, the way does not: it stays at its ends.
    ends = engine.probabilities_along(dark, 1, torch.tensor([0.0, 1.0]), direction="confidence", rendering="plain")
    assert torch.allclose(ends, torch.stack([low, high], dim=1).float(), atol=1e-5)
    assert torch.allclose(engine.k_for(dark, 1, torch.full((5,), 0.5)), torch.full((5,), 0.5).double(), atol=1e-6)
    with pytest.raises(ValueError, match=r"0\.99 cannot be reached for image 0.*\(k = 0\) to .*\(k = 1\)"):
        engine.k_for(dark, 1, torch.full((5,), 0.99))


@pytest.mark.parametrize("search", ["every step", "bisection"])
def test_the_first_counterfactual_is_the_smallest_step_that_flips(
    search: str, brightness: Classifier, dark: Tensor
) -> None:
    config = MirrorCFEConfig(search=search, step=0.03)  # type: ignore[arg-type]
    engine = MirrorEngine.fit(brightness, dark, 1, config, generator=Exact(brightness))
    found = engine.explain(dark, 1, rendering="plain")
    # 34 steps from 0 to 1; the eighteenth is the first beyond one half.
    assert torch.allclose(found.strength, torch.full((5,), 18 / 34)) and found.flipped.all()
    assert found.direction == ("mirror",) * 5
    before = engine.move(dark, 1, degree=16 / 34, rendering="plain")
    assert not before.flipped.any()
    assert (found.tried <= config.drawings_an_image({})).all()


@pytest.mark.parametrize("rendering", ["plain", "detail transfer", "warped transfer"])
def test_it_is_judged_on_what_is_shown(rendering: str, engine: MirrorEngine, dark: Tensor) -> None:
    large = functional.interpolate(dark, scale_factor=2, mode="nearest")
    found = engine.explain(large[:2], 1, rendering=rendering)  # type: ignore[arg-type]
    assert found.flipped.all() and found.strength.isfinite().all()
    assert found.counterfactual.shape[2:] == ((16, 16) if rendering == "plain" else (32, 32))


@pytest.mark.parametrize(("side", "looked_at"), [(40, 40), (1100, 366)])
def test_a_transfer_is_searched_at_the_images_own_resolution(
    side: int, looked_at: int, brightness: Classifier, dark: Tensor
) -> None:
    """Up to 512 pixels: a change that was enlarged is weaker for C than it is at C's own size."""
    sides = []

    class Watched(MirrorEngine):
        def transfer(self, source: Tensor, *others: Any, **options: Any) -> Tensor:
            sides.append(source.shape[2])
            return super().transfer(source, *others, **options)

    large = functional.interpolate(dark[:1], (side, side), mode="bilinear")
    Watched(brightness, Exact(brightness), MirrorCFEConfig()).first(large, 1, rendering="detail transfer")
    assert sides and set(sides) == {looked_at}


@pytest.mark.parametrize("search", ["every step", "bisection"])
def test_an_image_without_counterfactual_says_so(search: str, brightness: Classifier, dark: Tensor) -> None:
    config = MirrorCFEConfig(search=search)  # type: ignore[arg-type]
    found = MirrorEngine(brightness, Stubborn(brightness), config).explain(dark, 1, rendering="plain")
    assert not found.flipped.any() and found.direction == (None,) * 5 and found.strength.isnan().all()
    assert found.counterfactual.shape == dark.shape


def test_a_misclassified_image_is_led_to_its_true_class(engine: MirrorEngine, dark: Tensor) -> None:
    """Its label says bright and C dark: the source is what C says, the target the truth."""
    label, image = 1, dark[4:]
    source = engine.judge(image).argmax(dim=1)
    assert source.item() != label
    found = engine.explain(image, label, rendering="plain")
    assert found.flipped.all() and found.strength.item() == pytest.approx(0.51)


def test_pictures_do_not_depend_on_their_company(small: Classifier, decoder: MirrorDecoder) -> None:
    images = torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.3
    target = (small.logits(images).argmax(dim=1)[0].item() + 1) % 3
    images = images[small.logits(images).argmax(dim=1) != target]
    torch.nn.init.normal_(decoder.blocks[0].second.weight, std=0.3)  # type: ignore[union-attr, arg-type]
    freeze(decoder)
    engine = MirrorEngine(small, decoder, MirrorCFEConfig(points="closed form"))
    together = engine.move(images, target, degree=0.7, rendering="plain").counterfactual
    again = engine.move(images, target, degree=0.7, rendering="plain").counterfactual
    alone = engine.move(images[1:2], target, degree=0.7, rendering="plain").counterfactual
    assert torch.equal(together, again) and torch.allclose(together[1:2], alone, atol=1e-5)
    p = engine.probabilities_along(images[1:2], target, torch.tensor([0.7]), rendering="plain")
    moved = engine.move(images[1:2], target, degree=0.7, rendering="plain").p_counterfactual
    assert torch.allclose(p[0], moved, atol=1e-5)


def test_more_classes_reach_a_confidence_by_bisection(small: Classifier, decoder: MirrorDecoder) -> None:
    images = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.3
    target = 2
    engine = MirrorEngine(small, decoder, MirrorCFEConfig(points="closed form"))
    low, high = engine.reachable(images, target)
    wanted = (low + high) / 2
    way = engine.way(images, target)
    k = engine.k_for(images, target, wanted)
    intended = (way.view.logits.double() + k[:, None] * way.change.double()).softmax(dim=1)[:, target]
    assert torch.allclose(intended, wanted, atol=1e-6)


def test_the_prior_mask_can_be_told_where(small: Classifier, decoder: MirrorDecoder) -> None:
    images = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.3
    for editor in decoder.editors:
        torch.nn.init.normal_(editor.decode.weight, std=0.3)  # type: ignore[union-attr, arg-type]
    narrow, wide = (
        MirrorEngine(small, decoder, MirrorCFEConfig(bounds="own", upper=bound, lower=bound)) for bound in (1.0, 0.0)
    )
    target = (small.logits(images).argmax(dim=1)[0].item() + 1) % 3
    pictures = [one.move(images, target, degree=1.0, rendering="plain").counterfactual for one in (narrow, wide)]
    assert not torch.allclose(pictures[0], pictures[1], atol=1e-3)


def test_it_comes_back_from_disk(engine: MirrorEngine, brightness: Classifier, dark: Tensor, tmp_path: Path) -> None:
    engine.default_degree = 0.6
    engine.save(tmp_path)
    again = MirrorEngine.load(tmp_path, brightness, generator=Exact(brightness))
    assert again.directions() == engine.directions() and again.config == engine.config
    assert again.default_degree == 0.6
    found, expected = again.explain(dark, 1), engine.explain(dark, 1)
    assert torch.equal(found.counterfactual, expected.counterfactual)
    heat = again.attribution(again.encode(dark, 1), dark, 1)
    assert heat.shape == dark.shape and heat.min() >= 0 and heat.max() > 0


def test_classifiers_and_decoders_that_do_not_fit_are_refused(
    brightness: Classifier, dark: Tensor, stylex: StylEx
) -> None:
    flat, config = build_classifier("vgg16", ("dark", "bright"), 64, width=0.1), MirrorCFEConfig()
    with pytest.raises(ValueError, match=r"Mirror-CFE cannot use this classifier: .*no global average pooling"):
        MirrorEngine.fit(flat, torch.zeros(1, 1, 64, 64), 1, config, generator=Exact(brightness))
    with pytest.raises(ValueError, match="needs a trained Mirror-CFE decoder"):
        MirrorEngine.fit(brightness, dark, 1, config, generator=stylex)
    other = Exact(brightness)
    other.config = replace(other.config, head="another")
    with pytest.raises(ValueError, match="trained for another classifier"):
        MirrorEngine.fit(brightness, dark, 1, config, generator=other)


def test_an_image_of_the_target_class_stays_as_it_is_among_others(
    small: Classifier, decoder: MirrorDecoder, engine: MirrorEngine, dark: Tensor
) -> None:
    mixed = torch.cat([dark[:2], dark[:1] + 0.3, dark[2:]])
    codes, one = engine.encode(mixed, 1), torch.ones(6)
    for direction, degrees in ((MIRROR, one), (CONFIDENCE, 0.9 * one)):
        moved = engine.draw(codes, mixed, {direction: degrees}, 1)
        assert torch.allclose(moved[2], mixed[2], atol=1e-6)
        alone = engine.draw(codes[[0, 1, 3, 4, 5]], dark, {direction: degrees[:5]}, 1)
        assert torch.equal(moved[[0, 1, 3, 4, 5]], alone)
        told = engine.intended(mixed, 1, direction, degrees)
        assert told.already.tolist() == [False, False, True, False, False, False]
        assert told.k[2] == 0 and torch.allclose(told.low[2], engine.probability(mixed[2:3], 1).double(), atol=1e-6)
    images = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.3
    target = int(small.logits(images[:1]).argmax())
    several = MirrorEngine(small, decoder, MirrorCFEConfig())
    shown = several.move(images[:1], target, direction=MIRROR, degree=1.0, rendering="plain")
    assert torch.equal(shown.counterfactual, shown.reconstruction)


def test_what_is_intended_is_told(engine: MirrorEngine, dark: Tensor) -> None:
    ends = engine.reachable(dark, 1)
    at_k = engine.intended(dark, 1, MIRROR, torch.linspace(0, 1, 5))
    assert torch.equal(at_k.k, torch.linspace(0, 1, 5))
    assert torch.allclose(torch.stack([at_k.low, at_k.high]), torch.stack(ends))
    assert torch.allclose(at_k.probability[[0, 4]], torch.stack([ends[0][0], ends[1][4]]))
    wanted = engine.intended(dark, 1, CONFIDENCE, torch.tensor([0.4, 0.5, 0.51, 0.001, 0.999]))
    assert torch.allclose(wanted.probability[:3], torch.tensor([0.4, 0.5, 0.51]).double(), atol=1e-6)
    assert wanted.k[3] == 0 and wanted.k[4] == 1
    assert torch.allclose(wanted.probability[3:], torch.stack([ends[0][3], ends[1][4]]), atol=1e-6)


def test_an_image_goes_by_one_measure_at_a_time(engine: MirrorEngine, dark: Tensor) -> None:
    both = {MIRROR: torch.full((5,), 0.5), CONFIDENCE: torch.full((5,), 0.6)}
    with pytest.raises(ValueError, match="mirror and confidence are measures of one way: move the image by one"):
        engine.draw(engine.encode(dark, 1), dark, both, 1)


def test_a_target_that_is_the_source_is_refused(engine: MirrorEngine, brightness: Classifier, dark: Tensor) -> None:
    bright = torch.cat([dark, dark + 0.3])
    with pytest.raises(ValueError, match=r"5 of 10 images, first 5, are 'bright' for the classifier already"):
        MirrorEngine.fit(brightness, bright, 1, MirrorCFEConfig(), generator=Exact(brightness))
    for ask in (engine.explain, engine.first, engine.way, engine.reachable):
        with pytest.raises(ValueError, match="no mirror between a class and itself"):
            ask(dark, 0)
    with pytest.raises(ValueError, match="at least one image"):
        MirrorEngine.fit(brightness, dark[:0], 1, MirrorCFEConfig(), generator=Exact(brightness))
    with pytest.raises(ValueError, match=r"no direction 'v1 \+': Mirror-CFE has mirror and confidence"):
        engine.move(dark, 1, direction="v1 +", degree=1.0)


@pytest.mark.parametrize("wrong", [{"step": 0.0}, {"upper": 0.2, "lower": 0.5}])
def test_settings_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="choose"):
        MirrorCFEConfig(**wrong)  # type: ignore[arg-type]
