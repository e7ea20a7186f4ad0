"""The decoder: pictures of its size for any pyramid, what the prior mask and the variants change, weights come back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.classifiers.densenet import BinaryDenseNet
from cfcore.classifiers.resnet import ResidualNet
from cfcore.classifiers.trunk import SmallCNN
from cfcore.generators.mirror import MirrorConfig, MirrorDecoder, load_mirror, save_mirror
from cfcore.generators.mirror.model import Discriminator, config_for
from cfcore.generators.mirror.view import Way, look, way_to
from tests.cfcore.graded import small_decoder

LEVELS = ((8, 16), (12, 8))


@pytest.fixture
def images() -> Tensor:
    return torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0))


def a_way(classifier: Classifier, images: Tensor) -> Way:
    view = look(classifier, images)
    return way_to(classifier, view, (view.source + 1) % len(classifier.class_names), "pairwise")


@pytest.mark.parametrize(
    ("classifier", "channels", "most"),
    [
        (BinaryDenseNet(("no", "yes"), 64), 1, 2.5e6),
        (ResidualNet("resnet18", ("3", "8"), 28), 1, 1.5e6),
        (ResidualNet("resnet18", ("3", "8"), 28, channels=3, width=0.25), 3, 1.5e6),
    ],
    ids=["densenet 64", "resnet 28", "resnet 28 colour"],
)
@torch.no_grad()
def test_pictures_have_the_classifiers_size(classifier: Classifier, channels: int, most: float) -> None:
    classifier.eval()
    model = MirrorDecoder(config_for(classifier))
    images = torch.rand(2, channels, *classifier.size)
    drawn = a_way(classifier, images).draw(model, torch.tensor([0.0, 1.0]))
    assert drawn.shape == images.shape and drawn.min() >= 0 and drawn.max() <= 1
    assert sum(parameter.numel() for parameter in model.parameters()) < most
    assert Discriminator(classifier.size[0], channels)(images).shape == (2,)


@pytest.mark.parametrize(("size", "finest"), [(256, 128), (63, 32), (100, 25)])
@torch.no_grad()
def test_pictures_larger_than_the_finest_level(size: int, finest: int) -> None:
    levels = ((4, finest), (8, finest // 4))
    model = MirrorDecoder(MirrorConfig(size, levels, "", width=8, most=8, code=8))
    moved, skips = torch.rand(1, 8, finest // 4, finest // 4), [torch.rand(1, 4, finest, finest)]
    assert model(moved, skips, torch.rand(1, 2, finest // 4, finest // 4), torch.ones(1)).shape == (1, 1, size, size)


@torch.no_grad()
def test_only_where_the_mask_is_open_may_a_skip_change(
    small: Classifier, decoder: MirrorDecoder, images: Tensor
) -> None:
    for editor in decoder.editors:
        torch.nn.init.normal_(editor.decode.weight, std=0.5)  # type: ignore[union-attr, arg-type]
    way = a_way(small, images)
    code = torch.rand(4, 16, 4, 4)
    maps = torch.zeros(4, 2, 4, 4)
    maps[:, 0, :2] = 1
    skip = decoder._even(way.view.levels[0], 0)
    found = decoder._skip(0, skip, code, maps, torch.full((4,), 0.99))
    assert torch.equal(found[:, :, 10:], skip[:, :, 10:]) and not torch.allclose(found[:, :, :6], skip[:, :, :6])
    everywhere = decoder._skip(0, skip, code, maps, torch.zeros(4))
    assert torch.allclose(everywhere, decoder.editors[0](skip, code))


@torch.no_grad()
def test_the_variants_of_the_ablation(small: Classifier, images: Tensor) -> None:
    way, k = a_way(small, images), torch.full((4,), 0.3)
    models = {variant: small_decoder(small, variant=variant) for variant in ("full", "spe", "skip")}
    sizes = {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()}
    assert sizes["full"] == sizes["spe"] > sizes["skip"]
    for model in (models["full"], models["spe"]):
        for editor in model.editors:
            torch.manual_seed(0)
            torch.nn.init.normal_(editor.decode.weight, std=0.5)  # type: ignore[union-attr, arg-type]
    drawn = {name: way.draw(model, k) for name, model in models.items()}
    assert not torch.allclose(drawn["full"], drawn["spe"])
    assert torch.allclose(way.draw(models["full"], k, (0.0, 0.0)), drawn["spe"], atol=1e-5)


@torch.no_grad()
def test_levels_come_without_their_scale(small: Classifier, decoder: MirrorDecoder, images: Tensor) -> None:
    levels = look(small, images).levels
    decoder.calibrate(levels)
    even = decoder._even(levels[0], 0)
    alive = levels[0].transpose(0, 1).flatten(1).std(dim=1) > levels[0].std() * 0.2
    assert alive.any()
    assert torch.allclose(even.mean(dim=(0, 2, 3))[alive], torch.zeros(int(alive.sum())), atol=1e-4)
    assert torch.allclose(even.std(dim=(0, 2, 3))[alive], torch.ones(int(alive.sum())), atol=0.01)
    assert all(decoder._even(level, i).isfinite().all() for i, level in enumerate(levels))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"variant": "none"}, "no variant 'none'; choose one of: full, spe, skip"),
        ({"points": "none"}, "no points 'none'"),
        ({"levels": LEVELS[:1]}, "1 levels: the decoder needs A"),
        ({"channels": 2}, "channels is 2"),
        ({"upper": 0.1, "lower": 0.5}, r"falls from 0\.1 to 0\.5"),
        ({"width": 0}, "choose at least 1"),
    ],
)
def test_sizes_that_cannot_be(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(MirrorConfig(16, LEVELS, ""), **wrong)  # type: ignore[arg-type]


def test_levels_and_classifiers_that_do_not_fit_are_refused(decoder: MirrorDecoder) -> None:
    maps, k = torch.rand(1, 2, 4, 4), torch.ones(1)
    with pytest.raises(ValueError, match=r"reads levels .*\(16, 4\)\], these are .*\(9, 4\)\]"):
        decoder(torch.rand(1, 9, 4, 4), [torch.rand(1, 8, 16, 16), torch.rand(1, 12, 8, 8)], maps, k)
    with pytest.raises(ValueError, match=r"cannot use this classifier: .*no global average pooling"):
        config_for(SmallCNN(("no", "yes"), 64, width=0.25))


@torch.no_grad()
def test_weights_come_back(tmp_path: Path, small: Classifier, decoder: MirrorDecoder, images: Tensor) -> None:
    decoder.calibrate(look(small, images).levels)
    save_mirror(tmp_path, decoder, {"name": "small"}, Discriminator(16))
    again, way, k = load_mirror(tmp_path), a_way(small, images), torch.full((4,), 0.7)
    assert again.config == decoder.config
    assert torch.allclose(way.draw(again, k), way.draw(decoder, k), atol=0.01)
    assert (tmp_path / "discriminator" / "weights.safetensors").exists()
    card = json.loads((tmp_path / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(card | {"kind": "stylex"}))
    with pytest.raises(ValueError, match="holds a 'stylex', not a Mirror-CFE decoder"):
        load_mirror(tmp_path)
