"""Mirror-CFE on other classifiers than two grey classes: one label of several, and programs, which it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from cfcore.classifiers.known import KnownClassifier
from cfcore.classifiers.program import Program, ProgramClassifier, file_format
from cfcore.classifiers.spec import read_spec
from cfcore.engines.mirror import MirrorCFEConfig, MirrorEngine
from cfcore.engines.mirror.engine import CONFIDENCE, MIRROR
from cfcore.generators.mirror.model import config_for
from cfcore.training.weights import file_sha256
from tests.cfcore.graded import small_decoder, trained_classifier

SIDE = 16
HIDDEN = (
    "program shows its outputs alone, not the layers that the decoder reads; import its weights as safetensors of a "
    "DenseNet or a ResNet"
)


@pytest.mark.parametrize("label", ["A", "B", "C"])
@torch.no_grad()
def test_one_label_of_several_is_mirrored_by_itself(label: str) -> None:
    torch.manual_seed(0)
    # The network has learned nothing: no label reaches 0.9, so that every image is a no.
    spec = read_spec(
        f"architecture: monai-resnet18\ninput: {{size: 32}}\nlabels: [A, B, C]\nlabel: {label}\nthreshold: 0.9\n"
    )
    classifier = KnownClassifier(spec, 3)
    classifier.requires_grad_(False).eval()
    images = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    raw, i = classifier.raw(images), "ABC".index(label)
    shifted = raw[:, i] - torch.tensor(0.9).logit()
    engine = MirrorEngine.fit(classifier, images, 1, MirrorCFEConfig(), generator=small_decoder(classifier))
    way, one = engine.way(images, 1), torch.ones(3)
    assert way.view.source.tolist() == [0, 0, 0] and way.logits(one).shape == (3, 2)

    for k, expected in ((0.0, shifted), (0.5, 0 * shifted), (1.0, -shifted)):
        told = engine.intended(images, 1, MIRROR, k * one)
        torch.testing.assert_close(told.probability, expected.double().sigmoid(), rtol=0, atol=1e-5)
        logits = functional.linear(way.z(k * one), *classifier.head)
        torch.testing.assert_close(logits[:, 1] - logits[:, 0], expected, rtol=1e-4, atol=1e-4)
    # The network's own probability of the label then lies at its threshold, not at 0.5.
    own = functional.linear(way.z(0.5 * one), classifier._last.weight, classifier._last.bias)[:, i].sigmoid()
    torch.testing.assert_close(own, torch.full((3,), 0.9), rtol=0, atol=1e-4)

    even = engine.intended(images, 1, CONFIDENCE, 0.5 * one)
    torch.testing.assert_close(even.k, 0.5 * one, rtol=0, atol=1e-5)
    drawn = engine.move(images, 1, degree=1.0, rendering="plain").counterfactual
    assert drawn.shape == images.shape and drawn.min() >= 0 and drawn.max() <= 1


@pytest.fixture(scope="module")
def net() -> nn.Module:
    """A network that has what Mirror-CFE needs: global average pooling and a linear head."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 3),
    ).eval()  # fmt: skip


@pytest.mark.parametrize("format", ["torchscript", "export"])
def test_a_program_is_refused_with_the_way_out(format: str, net: nn.Module, tmp_path: Path) -> None:
    images = torch.rand(2, 1, SIDE, SIDE)
    path = tmp_path / "net"
    if format == "torchscript":
        torch.jit.save(torch.jit.script(net), str(path))
    else:
        with path.open("wb") as file:
            torch.export.save(torch.export.export(net, (images,)), file)
    assert file_format(path) == format
    program = Program(path, file_sha256(path), file_format(path))
    classifier = ProgramClassifier(program, read_spec(f"class_names: [A, B, C]\ninput: {{size: {SIDE}}}\n"))
    decoder = small_decoder(trained_classifier())
    for ask in (
        lambda: config_for(classifier),
        lambda: MirrorEngine.fit(classifier, images, 1, MirrorCFEConfig(), generator=decoder),
        lambda: MirrorEngine(classifier, decoder, MirrorCFEConfig()),
    ):
        with pytest.raises(ValueError, match="Mirror-CFE cannot use this classifier: .*" + HIDDEN):
            ask()
    assert program._sandbox is None, "it need not be started to be refused"
