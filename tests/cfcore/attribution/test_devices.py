"""Maps and fills on torch's meta device, which fails where a tensor is made on another."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.attribution.fills import paint
from cfcore.attribution.gradcam import gradcam
from cfcore.attribution.ig import integrated_gradients
from cfcore.attribution.lig import lig, lig_path
from cfcore.attribution.names import FILLS
from cfcore.attribution.score import Score
from cfcore.classifiers.densenet import BinaryDenseNet


@pytest.fixture
def score() -> Score:
    return Score(BinaryDenseNet(("No", "Yes"), 32).to("meta").eval(), 1, against=True)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 1, 32, 32, device="meta")


def test_maps_of_the_classifier(score: Score, images: Tensor) -> None:
    found = integrated_gradients(score, images, "mean", steps=3)
    for values in (gradcam(score, images), found.values):
        assert values.device.type == "meta" and values.shape == images.shape
    assert found.gap.device.type == "meta"


def test_maps_along_the_traversal(score: Score, images: Tensor) -> None:
    codes = torch.ones(2, 1, device="meta")
    for form in (lig, lig_path):
        found = form(score, lambda z1, z2: images * z2[:, :, None, None], codes, codes, steps=2)
        assert found.values.device.type == found.gap.device.type == "meta"


def test_fills(images: Tensor) -> None:
    for fill in set(FILLS) - {"inpaint"}:  # Solved by scipy, on the CPU.
        assert paint(images, fill).device.type == "meta"
