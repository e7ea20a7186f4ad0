"""The cost model says what the engine does, and its FLOPs are those of the layers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.engines.eigenfind.cost import Passes, Work, explain_passes, search_passes, work_of
from cfcore.generators.stylex import StylEx
from cfcore.generators.stylex.prepared import prepared


class Counted(Classifier):
    """Brightness, counting the images that it sees."""

    class_names = ("dark", "bright")
    channels = 1
    size = (16, 16)
    seen = 0

    def logits(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        margin = 40 * (images.mean(dim=(1, 2, 3)) - 0.5)
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


@pytest.mark.parametrize("options", [{}, {"prerank": 6}, {"halving": 1}, {"prerank": 10, "halving": 2}])
def test_passes_are_what_the_engine_makes(
    stylex: StylEx, images: Tensor, monkeypatch: pytest.MonkeyPatch, options: dict[str, int]
) -> None:
    classifier, drawn, encoded = Counted(), [], []
    draw, encode = StylEx.decode, StylEx.encode
    monkeypatch.setattr(StylEx, "decode", lambda self, w, label: drawn.append(len(w)) or draw(self, w, label))
    monkeypatch.setattr(StylEx, "encode", lambda self, x: encoded.append(len(x)) or encode(self, x))
    config = EigenFindConfig(scan=6, k=2, degree=8.0, **options)
    engine = EigenFind.fit(classifier, images, 1, config, generator=stylex)
    expected = search_passes(10, config)
    assert (sum(encoded), sum(drawn), classifier.seen) == (expected.encoder, expected.generator, expected.classifier)
    assert expected.backward == (10 if config.prerank else 0)
    engine.explain(images, 1, rendering="plain")
    both = expected + explain_passes(10)
    assert (sum(encoded), sum(drawn), classifier.seen) == (both.encoder, both.generator, both.classifier)


def test_cost_grows_with_images_and_directions() -> None:
    assert search_passes(600, EigenFindConfig(scan=20)) == Passes(600, 600 * 41, 600 * 42)
    assert search_passes(600, EigenFindConfig(scan=8)) == Passes(600, 600 * 17, 600 * 18)
    short = search_passes(600, EigenFindConfig(scan=20, prerank=16, halving=1))
    assert short.generator == 600 + 75 * 16 + 525 * 12


def test_flops_of_a_drawing_are_those_of_its_layers(stylex: StylEx) -> None:
    ready, w, label = prepared(stylex), torch.zeros(1, 32), torch.zeros(1, dtype=torch.long)
    body = stylex.synthesis
    affines = sum(2 * affine.weight.numel() for affine in (*body.affines, *body.image_affines))
    expected = affines
    for conv, size in zip(body.convs, (4, 4, 8, 8, 16), strict=True):
        outputs, inputs = conv.conv.weight.shape[:2]
        expected += 2 * 9 * inputs * outputs * size * size + 2 * inputs * outputs
    expected += sum(2 * layer.weight.numel() * size**2 for layer, size in zip(body.to_image, (4, 8, 16), strict=True))
    assert work_of(lambda: ready.decode(w, label)).flops == expected


def test_bytes_are_read_and_written_once_an_operation() -> None:
    x = torch.zeros(2, 3)
    assert work_of(lambda: x + 1).bytes == 2 * 24
    assert work_of(lambda: x.view(3, 2)).bytes == 0
    assert work_of(lambda: nn.functional.linear(x, torch.zeros(4, 3))).flops == 2 * 2 * 3 * 4
    assert Work(100, 10).seconds(10, 10) == 10
    assert Work(100, 1000).seconds(10, 10) == 100
