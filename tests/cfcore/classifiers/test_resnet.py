"""Residual networks: the published weights, their stems, several classes, and how they come back from disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from cfcore.classifiers.resnet import ResidualNet
from cfcore.classifiers.store import build_classifier, load_classifier, save_classifier
from cfcore.training.weights import freeze

DIGITS = tuple("0123456789")


# torchvision's counts for a thousand classes and three channels.
@pytest.mark.parametrize(("architecture", "weights"), [("resnet18", 11_689_512), ("resnet50", 25_557_032)])
def test_it_has_the_published_weights(architecture: str, weights: int) -> None:
    with torch.device("meta"):
        network = ResidualNet(architecture, tuple(str(i) for i in range(1000)), 224, channels=3)
    assert sum(parameter.numel() for parameter in network.parameters()) == weights


@pytest.mark.parametrize(
    ("architecture", "size", "sides"),
    [
        ("resnet18", 28, [28, 14, 7, 4]),
        ("resnet50", 28, [28, 14, 7, 4]),
        ("resnet18", 48, [48, 24, 12, 6]),
        ("resnet18", 64, [32, 16, 8, 4, 2]),
    ],
)
@torch.no_grad()
def test_the_stem_follows_the_size(architecture: str, size: int, sides: list[int]) -> None:
    torch.manual_seed(0)
    network = ResidualNet(architecture, DIGITS, size, width=0.125)
    freeze(network)
    images = torch.rand(2, 1, size, size)
    levels = network.pyramid(images)
    assert [level.shape[2] for level in levels] == sides
    assert torch.equal(levels[-1], network.maps(images)) and (levels[-1] >= 0).all()
    logits = network.logits(images)
    assert logits.shape == (2, 10) and network.head[0].shape == (10, levels[-1].shape[1])
    assert torch.allclose(functional.linear(levels[-1].mean(dim=(2, 3)), *network.head), logits, atol=1e-5)
    assert torch.allclose(network.network(4 * (images - 0.5)), logits, atol=1e-5), "the levels are MONAI's own way"
    assert len(network.stages(images)) == 3
    seen: list[torch.Tensor] = []
    handle = network.last_convolution.register_forward_hook(lambda *call: seen.append(call[2]))
    network(images)
    handle.remove()
    assert torch.equal(seen[0], levels[-1])


@pytest.mark.parametrize(("names", "channels"), [(("3", "8"), 1), (DIGITS, 1), (("red", "green", "blue"), 3)])
def test_classes_width_and_channels_come_back(names: tuple[str, ...], channels: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_classifier("resnet18", names, 28, width=0.25, channels=channels).eval()
    save_classifier(tmp_path, network, {"name": "C"})
    card = json.loads((tmp_path / "card.json").read_text())
    assert (card["width"], card["channels"], tuple(card["class_names"])) == (0.25, channels, names)
    again = load_classifier(tmp_path)
    assert again.class_names == names and again.channels == channels
    images = torch.rand(2, channels, 28, 28)
    with torch.no_grad():
        assert torch.allclose(again.logits(images), network.logits(images), atol=0.02)
    assert again.title == "ResNet-18"


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="ResNet-18 takes images of 28 pixels or more, not 16"):
        build_classifier("resnet18", DIGITS, 16)
    with pytest.raises(ValueError, match="width is 0: choose a factor above 0"):
        build_classifier("resnet50", DIGITS, 28, width=0)
    with pytest.raises(ValueError, match="channels is 2"):
        build_classifier("resnet18", DIGITS, 28, channels=2)
    with pytest.raises(ValueError, match="two or more class names, each once"):
        build_classifier("resnet18", ("3", "3"), 28)
    with pytest.raises(ValueError, match="two or more class names"):
        build_classifier("resnet18", ("3",), 28)
    with pytest.raises(ValueError, match="no residual network 'resnet34'; known are resnet18, resnet50"):
        ResidualNet("resnet34", DIGITS, 28)


@pytest.mark.parametrize(
    ("architecture", "title"), [("densenet121", "DenseNet-121"), ("vgg16", "VGG-16"), ("small-cnn", "Small CNN")]
)
def test_networks_with_one_logit_take_two_classes_of_grey_images(architecture: str, title: str) -> None:
    with pytest.raises(ValueError, match=f"{title} tells two classes apart, not 10: choose resnet18 or resnet50"):
        build_classifier(architecture, DIGITS, 64)
    with pytest.raises(ValueError, match=f"{title} takes grey images, not 3 channels: choose resnet18 or resnet50"):
        build_classifier(architecture, ("3", "8"), 64, channels=3)
