"""A world whose answers are known: a spot that z2 turns on, and a classifier that looks at that spot alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.engines.medxgan import MedXGANConfig as EngineConfig
from cfcore.engines.medxgan import MedXGANEngine
from cfcore.generators.medxgan import MedXGAN, MedXGANConfig
from cfcore.training.weights import freeze
from services.reproduce.material import Shipped
from services.reproduce.medxgan.material import Column, HeldOut

CHANNELS = {4: 4, 8: 4, 16: 4, 32: 4, 64: 4}
SPOT = (slice(40, 56), slice(24, 40))


class Spot(MedXGAN):
    """G(z1, z2): a ramp across by z1[0] and down by z1[1], and a square spot that z2 makes brighter, whatever its
    sign."""

    def __init__(self, encoder: bool = False) -> None:
        super().__init__(MedXGANConfig(size=64, anatomy=2, pathology=3, channels=CHANNELS, encoder=encoder))
        self.spot: Tensor
        self.register_buffer("spot", torch.zeros(1, 64, 64))
        self.spot[0][SPOT] = 1
        ramp = torch.linspace(-1, 1, 64)
        self.ramps: Tensor
        self.register_buffer("ramps", torch.stack([ramp.expand(64, 64), ramp[:, None].expand(64, 64)]))

    def decode(self, z1: Tensor, z2: Tensor) -> Tensor:
        base = 0.45 + 0.1 * torch.einsum("ni,ihw->nhw", z1.tanh(), self.ramps)
        light = 0.4 * (1 - (-2 * z2.square().sum(dim=1)).exp())
        return (base[:, None] + light[:, None, None, None] * self.spot).clamp(0, 1)


class SpotClassifier(Classifier):
    """Two classes by the brightness of the spot, through means of 8 x 8 pixels."""

    class_names = ("No effusion", "Effusion")
    channels = 1
    size = (64, 64)

    def __init__(self) -> None:
        super().__init__()
        means = nn.Conv2d(1, 1, 8, 8, bias=False)
        nn.init.constant_(means.weight, 1 / 64)
        self.detector = nn.Sequential(means, nn.ReLU())

    @property
    def last_convolution(self) -> nn.Module:
        return self.detector

    def logits(self, images: Tensor) -> Tensor:
        margin = 30 * (self.detector(images)[:, 0, 5:7, 3:5].mean(dim=(1, 2)) - 0.6)
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


@dataclass(frozen=True)
class SpotColumn(Column):
    """A column whose held-out images the generator itself has drawn."""

    def held_out(self, most: int) -> HeldOut:
        fixed = torch.Generator().manual_seed(9)
        labels = torch.arange(most) % 2
        z1, z2 = torch.randn(most, 2, generator=fixed), 1 + torch.rand(most, 3, generator=fixed)
        spot = torch.zeros(64, 64, dtype=torch.bool)
        spot[SPOT] = True
        masks = spot.expand(most, 1, 64, 64) & (labels > 0)[:, None, None, None]
        return HeldOut(self.generator.decode(z1, z2 * labels[:, None]), labels, masks)


def a_card(source: str = "phantom", key: str = "effusion") -> Shipped:
    nowhere = Path("nowhere")
    return Shipped(key, f"Toy {source}", source, "effusion", False, 64, SpotClassifier.class_names, nowhere, nowhere)  # type: ignore[arg-type]


def spot_column(name: str = "phantom") -> SpotColumn:
    classifier, generator = SpotClassifier(), Spot()
    freeze(classifier)
    freeze(generator)
    return SpotColumn(
        name, a_card(name), MedXGANEngine(classifier, generator, EngineConfig(steps=200, patience=15, rate=0.1))
    )


@pytest.fixture
def column() -> SpotColumn:
    return spot_column()
