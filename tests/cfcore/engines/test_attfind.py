"""AttFind: the planted coordinate is found, the search equals moving one coordinate after another, and what it owes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier, is_class, target_margin
from cfcore.engines.attfind import AttFind, AttFindConfig
from cfcore.engines.attfind.redraw import Redraw
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.training.weights import freeze

CONFIG = AttFindConfig(k=4)


@pytest.fixture
def training() -> Tensor:
    """Images of both classes, over which coordinates range widely."""
    noise = torch.rand(24, 1, 16, 16, generator=torch.Generator().manual_seed(8))
    return (noise * torch.linspace(0.1, 2.0, 24).view(-1, 1, 1, 1)).clamp(0, 1)


def planted(channel: int) -> StylEx:
    """A generator whose picture depends on one coordinate only: the style of `channel` before the last convolution.

    The last convolution takes that channel of ones, times its style s, less another of style 1, over the root of the
    sum of squares: (s - 1) / sqrt(s^2 + 1) rises with s. Codes are the brightness of the image.
    """
    torch.manual_seed(0)
    model = StylEx(StylExConfig(size=16, width=2, condition=1, channels={4: 4, 8: 4, 16: 4}))
    body = model.synthesis
    for affine in [*body.affines, *body.image_affines]:
        affine.weight.data.zero_()
    for i, conv in enumerate(body.convs):
        conv.conv.weight.data.zero_()
        conv.bias.data.fill_(1 / math.sqrt(2))
        if i == len(body.convs) - 1:
            conv.conv.weight.data[0, channel, 1, 1] = 1.0
            conv.conv.weight.data[0, (channel + 1) % 4, 1, 1] = -1.0
            conv.bias.data.zero_()
    for layer, bias in zip(body.to_image, body.image_bias, strict=True):
        layer.weight.data.zero_()
        bias.data.zero_()
    body.to_image[-1].weight.data[0, 0] = 2.0
    body.image_bias[-1].data.fill_(-1.0)
    body.affines[-1].weight.data[channel, 0] = 1.0
    freeze(model)
    model.encode = lambda images: torch.stack(  # type: ignore[method-assign]
        [images.mean(dim=(1, 2, 3)) * 4, torch.zeros(len(images))], dim=1
    )
    return model


@pytest.mark.parametrize("channel", [0, 2])
def test_the_planted_coordinate_is_found(
    classifier: Classifier, images: Tensor, training: Tensor, channel: int
) -> None:
    model = planted(channel)
    engine = AttFind.fit(classifier, images, 1, AttFindConfig(k=1, degree=2.0), generator=model, training=training)
    best, second = engine.directions()[:2]
    assert (best.name, best.kept) == (f"s{model.style_dimension - 4 + channel + 1} +", True)
    assert best.mean_change > 1.0
    assert not second.kept and abs(second.mean_change) < 1e-4
    assert engine.describe(best.name) == f"16 × 16 px, second convolution, channel {channel + 1}"


def test_the_search_equals_moving_one_coordinate_after_another(
    stylex: StylEx, classifier: Classifier, images: Tensor, training: Tensor
) -> None:
    engine = AttFind.fit(classifier, images, 1, AttFindConfig(k=4, degree=0.7), generator=stylex, training=training)
    rows = []
    for image in training.split(1):
        rows.append(stylex.styles(stylex.encode(image), classifier.logits(image).argmax(dim=1)))
    high, low = torch.cat(rows).amax(dim=0), torch.cat(rows).amin(dim=0)
    assert torch.allclose(engine.ends, torch.stack([high, low], dim=1), atol=1e-5)
    label = torch.zeros(10, dtype=torch.long)
    w = stylex.encode(images)
    styles = stylex.styles(w, label)
    before = target_margin(classifier.logits(stylex.decode(w, label)), 1)
    found = engine.found
    assert found is not None and found.pairs.tolist() == list(range(2 * stylex.style_dimension))
    for pair in found.pairs.tolist():
        j = pair // 2
        moved = styles.clone()
        moved[:, j] = styles[:, j] + 0.7 * ((low if pair % 2 else high)[j] - styles[:, j])
        logits = classifier.logits(stylex.decode_styles(moved, w, label))
        assert torch.allclose(found.changes[:, pair], target_margin(logits, 1) - before, atol=1e-4)
        assert torch.equal(found.flips[:, pair], is_class(logits, 1))
    mean = found.changes.mean(dim=0)
    assert [entry.mean_change for entry in engine.directions()] == mean.sort(descending=True).values[:64].tolist()
    assert sum(entry.kept for entry in engine.directions()) == 4


def test_redrawing_equals_drawing_in_full(stylex: StylEx) -> None:
    w = torch.randn(3, 32, generator=torch.Generator().manual_seed(2))
    label = torch.tensor([0, 1, 0])
    redraw, styles = Redraw(stylex, w, label), stylex.styles(w, label)
    assert torch.allclose(redraw.drawn, stylex.decode(w, label), atol=2e-6)
    rows = torch.tensor([2, 0, 1, 1])
    for layer in range(len(stylex.synthesis.convs)):
        channels = torch.tensor([0, 3, 7, 1])
        values = torch.tensor([2.0, -1.5, 0.0, 4.0])
        moved = styles[rows]
        moved[torch.arange(4), redraw.starts[layer] + channels] = values
        expected = stylex.decode_styles(moved, w[rows], label[rows])
        assert torch.allclose(redraw.draw(rows, layer, channels, values), expected, atol=2e-6)


@pytest.mark.parametrize("selection", ["independent", "subset"])
@pytest.mark.parametrize("rendering", ["plain", "detail transfer"])
def test_explanations_keep_their_promises(
    stylex: StylEx, classifier: Classifier, images: Tensor, training: Tensor, selection: str, rendering: str
) -> None:
    sources = torch.nn.functional.interpolate(images, size=40, mode="bilinear")
    config = AttFindConfig(k=12, degree=2.0, selection=selection)  # type: ignore[arg-type]
    engine = AttFind.fit(classifier, sources, 1, config, generator=stylex, training=training)
    out = engine.explain(sources, 1, rendering=rendering)  # type: ignore[arg-type]
    size = 40 if rendering == "detail transfer" else 16
    assert out.counterfactual.shape == (10, 1, size, size)
    again = engine.explain(sources, 1, rendering=rendering)  # type: ignore[arg-type]
    assert torch.equal(out.counterfactual, again.counterfactual)
    assert torch.allclose(out.p_counterfactual, engine.probability(out.counterfactual, 1))
    assert torch.allclose(out.p_reconstruction, engine.probability(out.reconstruction, 1))
    assert torch.equal(out.flipped, out.p_counterfactual > 0.5)
    assert [name is not None for name in out.direction] == out.flipped.tolist()
    assert [math.isnan(s) for s in out.strength.tolist()] == [name is None for name in out.direction]
    kept = {entry.name for entry in engine.directions() if entry.kept}
    for i, name in enumerate(out.direction):
        if name is not None:
            assert set(name.split(", ")) <= kept
            one = engine.move(sources[i : i + 1], 1, direction=name, degree=2.0, rendering=rendering)  # type: ignore[arg-type]
            assert torch.allclose(one.counterfactual[0], out.counterfactual[i], atol=1e-5)


class Strict(Classifier):
    """Calls only very bright images bright, so that the toy generator's reconstructions are dark and one coordinate
    seldom suffices."""

    class_names = ("dark", "bright")
    channels = 1
    size = (16, 16)

    def logits(self, images: Tensor) -> Tensor:
        margin = 40 * (images.mean(dim=(1, 2, 3)) - 0.85)
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


def test_flips_are_judged_on_what_warped_transfer_shows(stylex: StylEx, images: Tensor, training: Tensor) -> None:
    config = AttFindConfig(k=2, degree=2.0, selection="subset")
    engine = AttFind.fit(Strict(), images[:1], 1, config, generator=stylex, training=training)
    sources = torch.nn.functional.interpolate(images[:1], size=32, mode="bilinear")
    out = engine.explain(sources, 1, rendering="warped transfer")
    assert out.counterfactual.shape == (1, 1, 32, 32)
    assert torch.allclose(out.p_counterfactual, engine.probability(out.counterfactual, 1))
    assert torch.equal(out.flipped, out.p_counterfactual > 0.5)
    assert [name is not None for name in out.direction] == out.flipped.tolist()


def test_a_subset_explains_images_that_no_single_coordinate_does(
    stylex: StylEx, images: Tensor, training: Tensor
) -> None:
    shares = []
    for selection in ("independent", "subset"):
        config = AttFindConfig(k=12, selection=selection)  # type: ignore[arg-type]
        engine = AttFind.fit(Strict(), images, 1, config, generator=stylex, training=training)
        out = engine.explain(images, 1, rendering="plain")
        shares.append(out.flipped.float().mean().item())
    sizes = [len(name.split(", ")) for name in out.direction if name is not None]
    assert shares[0] < shares[1] and max(sizes) > 1
    assert [n for n, name in zip(out.tried.tolist(), out.direction, strict=True) if name is not None] == sizes


def test_the_condition_stays_the_sources_class(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    """In codes and in pictures: the moved image is drawn under the class that C gives the source."""
    engine = AttFind.fit(classifier, images, 1, CONFIG, generator=stylex)
    codes = engine.encode(images, 1)
    assert codes[:, -1].tolist() == [0.0] * 10
    assert engine.encode((images + 0.5).clamp(0, 1), 0)[:, -1].tolist() == [1.0] * 10
    w = codes[:, :-1]
    for label, same in ((0, True), (1, False)):
        j, labels = engine.directions()[0].index, torch.full((10,), label)
        styles = stylex.styles(w, labels)
        styles[:, j] = engine.ends[j, 0 if engine.directions()[0].sign > 0 else 1]
        expected = stylex.decode_styles(styles, w, labels)
        shown = engine.move(images, 1, direction=engine.directions()[0].name, degree=1.0, rendering="plain")
        assert torch.allclose(shown.counterfactual, expected, atol=1e-5) == same


def test_classifier_and_generator_are_left_as_they_were(stylex: StylEx, images: Tensor, training: Tensor) -> None:
    from cfcore.classifiers.densenet import BinaryDenseNet

    network = BinaryDenseNet(("no", "yes"), 32)
    freeze(network)
    network.eval()
    modules = (network, stylex)
    before = [{key: value.clone() for key, value in m.state_dict().items()} for m in modules]
    with torch.no_grad():
        target = 1 - int(network.logits(torch.nn.functional.interpolate(images[:1], 32)).argmax())
    sources = torch.nn.functional.interpolate(images[:1], 32)
    config = AttFindConfig(k=2, verified=0.3)
    engine = AttFind.fit(network, sources, target, config, generator=_of_size_32(), training=training)
    engine.explain(sources, target)
    for module, old in zip(modules, before, strict=True):
        assert all(torch.equal(value, old[key]) for key, value in module.state_dict().items())
        assert not module.training


def _of_size_32() -> StylEx:
    torch.manual_seed(4)
    small = {4: 4, 8: 4, 16: 4, 32: 4}
    model = StylEx(StylExConfig(size=32, width=8, condition=2, channels=small, critic_channels=small))
    freeze(model)
    return model


def test_round_trip_on_disk(
    stylex: StylEx, classifier: Classifier, images: Tensor, training: Tensor, tmp_path: Path
) -> None:
    config = AttFindConfig(k=3, selection="subset")
    engine = AttFind.fit(classifier, images, 1, config, generator=stylex, training=training)
    engine.save(tmp_path)
    again = AttFind.load(tmp_path, classifier, generator=stylex)
    assert again.directions() == engine.directions() and again.config == engine.config
    assert torch.equal(again.explain(images, 1).counterfactual, engine.explain(images, 1).counterfactual)
    other = StylEx(StylExConfig(size=16, width=8, channels={4: 4, 8: 4, 16: 4}))
    with pytest.raises(ValueError, match="fitted to a generator of 72 style coordinates, this one has 20"):
        AttFind.load(tmp_path, classifier, generator=other)


def test_places_of_coordinates_are_named(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    """Styles of 16 (4 px), 16 and 16 (8 px), 16 and 8 (16 px) input channels."""
    engine = AttFind.fit(classifier, images[:1], 1, CONFIG, generator=stylex)
    assert engine.describe("s1 +") == "4 × 4 px, convolution, channel 1"
    assert engine.describe("s17 -") == "8 × 8 px, first convolution, channel 1"
    assert engine.describe("s48 -, s65 +") == (
        "8 × 8 px, second convolution, channel 16; 16 × 16 px, second convolution, channel 1"
    )
    with pytest.raises(ValueError, match=r"no direction 's73 \+': the StyleSpace has 72"):
        engine.describe("s73 +")


def test_what_cannot_be_searched_is_refused(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    with pytest.raises(ValueError, match="needs a trained StylEx"):
        AttFind.fit(classifier, images, 1, CONFIG)
    with pytest.raises(ValueError, match="at least one image"):
        AttFind.fit(classifier, images[:0], 1, CONFIG, generator=stylex)
    with pytest.raises(ValueError, match="'bright' for the classifier already"):
        AttFind.fit(classifier, images + 0.5, 1, CONFIG, generator=stylex)
    with pytest.raises(ValueError, match="leaves 2 of 144 pairs, fewer than k = 4: raise verified"):
        AttFind.fit(classifier, images, 1, AttFindConfig(k=4, verified=0.01), generator=stylex)
    with pytest.raises(ValueError, match="degree must be positive"):
        AttFindConfig(degree=0)
    with pytest.raises(ValueError, match="verified is a share"):
        AttFindConfig(verified=1.5)
    with pytest.raises(ValueError, match="k must be at least 1"):
        AttFindConfig(k=0)
    with pytest.raises(ValueError, match='"independent" or "subset", not \'both\''):
        AttFindConfig(selection="both")  # type: ignore[arg-type]
    three = StylEx(StylExConfig(size=16, width=8, classes=3, channels={4: 4, 8: 4, 16: 4}))
    freeze(three)
    with pytest.raises(ValueError, match="trained for 3 classes"):
        AttFind.fit(classifier, images, 1, CONFIG, generator=three)
    engine = AttFind.fit(classifier, images[:1], 1, CONFIG, generator=stylex)
    for name in ("v1 +", "s0 +", "s1", "s1 *", ""):
        with pytest.raises(ValueError, match="a style coordinate is named like"):
            engine.move(images, 1, direction=name, degree=1.0)
