from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from monai.networks.nets.densenet import DenseNet121
from monai.networks.nets.resnet import ResNet
from safetensors.torch import save_file
from torch import Tensor

from cfcore.classifiers.densenet import BinaryDenseNet
from cfcore.classifiers.known import load_known
from cfcore.classifiers.spec import SpecError, read_spec

State = dict[str, Tensor]


def describe(architecture: str, rest: str = "class_names: [Healthy, Ill]\ninput: {size: 32}\n"):
    return read_spec(f"architecture: {architecture}\n{rest}")


@pytest.fixture(scope="module")
def dense() -> DenseNet121:
    torch.manual_seed(0)
    network = DenseNet121(2, 1, 1).eval()
    network.class_layers.out.bias.data.fill_(0.3)
    return network


def torchvision_names(state: State) -> State:
    """MONAI's names as torchvision and torchxrayvision write them."""
    renamed = {re.sub(r"(denselayer\d+)\.layers\.", r"\1.", key): value for key, value in state.items()}
    return {key.replace("class_layers.out.", "classifier."): value for key, value in renamed.items()}


def old_torchvision_names(state: State) -> State:
    return {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key): value
        for key, value in torchvision_names(state).items()
    }


def chexnet_names(state: State) -> State:
    return {
        "module.densenet121." + key.replace("classifier.", "classifier.0."): value
        for key, value in torchvision_names(state).items()
    }


def without_counters(state: State) -> State:
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


@pytest.mark.parametrize(
    "layout",
    [dict, torchvision_names, old_torchvision_names, chexnet_names, without_counters],
    ids=lambda f: f.__name__,
)
def test_a_densenet_reads_alike_in_every_layout(
    dense: DenseNet121, layout: Callable[[State], State], tmp_path: Path
) -> None:
    save_file(layout(dense.state_dict()), tmp_path / "w.safetensors")
    classifier = load_known(tmp_path / "w.safetensors", describe("densenet121"))
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        logits = classifier.logits(images)
        torch.testing.assert_close(logits[:, 1:], dense(images), atol=1e-5, rtol=1e-4)
        weight, bias = classifier.head
        torch.testing.assert_close(classifier.features(images) @ weight.T + bias, logits, atol=1e-5, rtol=1e-4)
    assert logits[:, 0].eq(0).all()


def test_our_own_densenet_can_be_brought_back(tmp_path: Path) -> None:
    own = BinaryDenseNet(("Healthy", "Ill"), 32).eval()
    save_file(own.state_dict(), tmp_path / "w.safetensors")
    spec = describe("densenet121", "class_names: [Healthy, Ill]\ninput: {size: 32, range: [-2, 2]}\n")
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        found = load_known(tmp_path / "w.safetensors", spec).logits(images)
        torch.testing.assert_close(found, own.logits(images), atol=1e-5, rtol=1e-4)


def test_a_torchxrayvision_file_brings_its_operating_points(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = DenseNet121(2, 1, 3).eval()
    points = torch.tensor([0.1, 0.02, float("nan")])
    save_file(torchvision_names(network.state_dict()) | {"op_threshs": points}, tmp_path / "w.safetensors")
    rest = "input: {size: 32, range: [-1024, 1024]}\nlabels: [A, B, C]\nlabel: %s\n"
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        raw = network(images * 2048 - 1024)
        for i, label in enumerate("ABC"):
            classifier = load_known(tmp_path / "w.safetensors", describe("densenet121", rest % label))
            shift = 0.0 if points[i].isnan() else points[i].logit().item()
            logits = classifier.logits(images)
            torch.testing.assert_close(logits[:, 1], raw[:, i] - shift, atol=1e-2, rtol=1e-3)
            weight, bias = classifier.head
            torch.testing.assert_close(classifier.features(images) @ weight.T + bias, logits, atol=1e-2, rtol=1e-3)


@pytest.mark.parametrize(("architecture", "stride", "bias"), [("resnet18", 2, False), ("monai-resnet18", 1, True)])
def test_residual_networks_keep_their_first_stride(architecture: str, stride: int, bias: bool, tmp_path: Path) -> None:
    network = ResNet(
        "basic",
        [2, 2, 2, 2],
        [64, 128, 256, 512],
        spatial_dims=2,
        n_input_channels=3,
        conv1_t_stride=stride,
        num_classes=3,
        bias_downsample=bias,
    ).eval()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    spec = describe(architecture, "class_names: [A, B, C]\ninput: {size: [32, 48], channels: 3}\n")
    classifier = load_known(tmp_path / "w.safetensors", spec)
    images = torch.rand(2, 1, 32, 48)
    with torch.no_grad():
        torch.testing.assert_close(classifier.logits(images), network(images.expand(-1, 3, -1, -1)))
    assert len(classifier.stages(images)) == 3


def test_two_outputs_are_two_logits(tmp_path: Path) -> None:
    network = DenseNet121(2, 1, 2).eval()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    images = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        found = load_known(tmp_path / "w.safetensors", describe("densenet121")).logits(images)
        torch.testing.assert_close(found, network(images))


def damaged(state: State) -> State:
    return state | {"features.conv0.weight": state["features.conv0.weight"] * float("nan")}


def three_channels(state: State) -> State:
    return state | {"features.conv0.weight": state["features.conv0.weight"].repeat(1, 3, 1, 1)}


def one_missing(state: State) -> State:
    return {key: value for key, value in state.items() if key != "features.norm5.bias"}


def one_more(state: State) -> State:
    return state | {"attention.weight": torch.zeros(3)}


def five_outputs(state: State) -> State:
    return state | {"class_layers.out.weight": torch.zeros(5, 1024), "class_layers.out.bias": torch.zeros(5)}


def something_else(state: State) -> State:
    return {"embedding": torch.zeros(3)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (damaged, ["not finite", "features.conv0.weight"]),
        (three_channels, ["(64, 3, 7, 7)", "(64, 1, 7, 7)", "input.channels"]),
        (one_missing, ["1 tensors are missing", "features.norm5.bias"]),
        (one_more, ["attention.weight"]),
        (five_outputs, ["5 outputs", "1 or 2", "labels"]),
        (something_else, ["no linear layer", "embedding"]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_other_weights_are_refused_with_what_was_found(
    dense: DenseNet121, change: Callable[[State], State], words: list[str], tmp_path: Path
) -> None:
    save_file(change(dense.state_dict()), tmp_path / "w.safetensors")
    with pytest.raises(ValueError) as caught:
        load_known(tmp_path / "w.safetensors", describe("densenet121"))
    for word in words:
        assert word in str(caught.value)


def test_a_cut_file_is_refused(dense: DenseNet121, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(dense.state_dict(), path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(ValueError, match="damaged"):
        load_known(path, describe("densenet121"))


def test_an_unknown_architecture_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"vit.*densenet121.*torch\.export"):
        load_known(tmp_path / "w.safetensors", describe("vit"))


def test_probabilities_of_a_known_architecture_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="linear layer"):
        load_known(
            tmp_path / "w", describe("resnet18", "class_names: [A, B]\ninput: {size: 32}\noutput: probabilities\n")
        )


@pytest.mark.parametrize("architecture", ["densenet121", "resnet18", "monai-resnet50"])
def test_forward_and_backward_run_on_device_meta(architecture: str) -> None:
    from cfcore.classifiers.known import KnownClassifier

    classifier = KnownClassifier(describe(architecture), 1).to("meta").eval()
    images = torch.rand(2, 1, 32, 32, device="meta", requires_grad=True)
    classifier.logits(images).sum().backward()
    assert images.grad is not None
    assert images.grad.device.type == "meta"
