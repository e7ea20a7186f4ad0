"""VGG-16 and the small CNN: their layers, head and last map, and how they come back from disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from cfcore.classifiers.architectures import MANY, TITLES, WIDE
from cfcore.classifiers.resnet import BLOCKS
from cfcore.classifiers.store import TRUNKS, build_classifier, load_classifier, save_classifier
from cfcore.classifiers.trunk import BinaryVGG, SmallCNN, TrunkClassifier
from cfcore.training.weights import freeze

NAMES = ("Healthy", "Sick")


def test_vgg_has_the_published_convolutions() -> None:
    network = BinaryVGG(NAMES, 64)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    weights = sum(module.weight.numel() for module in convolutions)
    # Three input channels, as published, would be 14,710,464 (Simonyan & Zisserman 2015, configuration D).
    assert len(convolutions) == 13 and weights == 14_710_464 - 2 * 64 * 9
    assert network.last.weight.shape == (1, 512 * 2 * 2)


@pytest.mark.parametrize("kind", [BinaryVGG, SmallCNN])
def test_logits_are_the_head_on_the_features(kind: type[TrunkClassifier]) -> None:
    torch.manual_seed(0)
    network = kind(NAMES, 32, width=0.25)
    freeze(network)
    images = torch.rand(3, 1, 32, 32)
    logits = network(images)
    assert logits.shape == (3, 2) and (logits[:, 0] == 0).all()
    assert torch.allclose(functional.linear(network.features(images), *network.head), logits)
    assert [tuple(stage.shape[2:]) for stage in network.stages(images)] == [(16, 16), (8, 8), (4, 4)]
    seen: list[torch.Tensor] = []
    handle = network.last_convolution.register_forward_hook(lambda *call: seen.append(call[2]))
    network(images)
    handle.remove()
    side = 2 * 32 // 2 ** kind.plan.count(0)
    assert seen[0].shape[2:] == (side, side) and (seen[0] >= 0).all()


def test_the_small_network_sees_a_sign_wherever_it_lies() -> None:
    torch.manual_seed(0)
    small = SmallCNN(NAMES, 128, width=0.25)
    freeze(small)
    images = torch.zeros(2, 1, 128, 128)
    # A whole number of its steps apart, and far from the borders.
    images[0, :, 56:60, 56:60], images[1, :, 72:76, 56:60] = 1, 1
    a, b = small.features(images)
    assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("architecture", ["vgg16", "small-cnn"])
def test_weights_and_width_come_back(architecture: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_classifier(architecture, NAMES, 32, width=0.25).eval()
    save_classifier(tmp_path, network, {"name": "C"})
    assert json.loads((tmp_path / "card.json").read_text())["width"] == 0.25
    images = torch.rand(2, 1, 32, 32)
    assert torch.allclose(load_classifier(tmp_path).logits(images), network.logits(images), atol=0.02)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="VGG-16 takes sizes that are multiples of 32 pixels, not 48"):
        build_classifier("vgg16", NAMES, 48)
    with pytest.raises(ValueError, match="width is 0: choose a factor above 0"):
        build_classifier("small-cnn", NAMES, 64, width=0)
    with pytest.raises(ValueError, match="DenseNet-121 has one width: leave it at 1, or choose vgg16 or small-cnn or"):
        build_classifier("densenet121", NAMES, 64, width=0.5)
    with pytest.raises(ValueError, match="no architecture 'resnet'; known are " + ", ".join(TITLES)):
        build_classifier("resnet", NAMES, 64)
    with pytest.raises(ValueError, match="two class names"):
        SmallCNN(("a", "b", "c"), 64)  # type: ignore[arg-type]


def test_what_pages_offer_is_what_can_be_built() -> None:
    assert set(WIDE) - set(MANY) == set(TRUNKS) and set(MANY) == set(BLOCKS)
    for name, title in TITLES.items():
        assert build_classifier(name, NAMES, 64).title == title
