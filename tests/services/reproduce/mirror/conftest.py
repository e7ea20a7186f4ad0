"""A world whose answers are known: three classes by the brightest third, and a decoder that draws z_k exactly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cfcore.generators.c3lt import C3LT
from cfcore.generators.c3lt import C3LTConfig as C3LTNetworks
from cfcore.generators.expgan import ExpGAN, ExpGANConfig
from cfcore.generators.mirror import MirrorDecoder
from cfcore.generators.mirror.model import config_for
from cfcore.generators.vae import VAE, VAEConfig
from cfcore.training.weights import freeze
from services.reproduce.mirror.columns import Column
from services.reproduce.mirror.command import Wish
from services.reproduce.mirror.material import Entry, Model, Part, Pool
from tests.cfcore.thirds import PARTS, Thirds, pictures


class Mapped(Thirds):
    """`Thirds` through maps of 4 x 4 places, one a class, whose mean is the third's."""

    def pyramid(self, images: Tensor) -> list[Tensor]:
        thirds = torch.zeros(1, 3, 1, 16)
        for i, (low, high) in enumerate(PARTS):
            thirds[0, i, :, low:high] = 16 / (high - low)
        return [images, functional.avg_pool2d(images * thirds, 4)]

    def maps(self, images: Tensor) -> Tensor:
        return self.pyramid(images)[-1]

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        return 40 * torch.eye(3), torch.zeros(3)


class Exact(MirrorDecoder):
    """The source with every third lighter or darker, so that C sees the very point that was asked for."""

    def draw(self, moved: Tensor, skips: Sequence[Tensor], maps: Tensor, tau: Tensor) -> Tensor:
        was = Mapped().maps(skips[0]).mean(dim=(2, 3))
        out = skips[0].clone()
        for i, (low, high) in enumerate(PARTS):
            out[:, :, :, low:high] += (moved.mean(dim=(2, 3)) - was)[:, i, None, None, None]
        return out


class Stubborn(MirrorDecoder):
    """The source, whatever is asked for."""

    def draw(self, moved: Tensor, skips: Sequence[Tensor], maps: Tensor, tau: Tensor) -> Tensor:
        return skips[0].clone()


def networks(decoder: type[MirrorDecoder] = Exact) -> dict[str, nn.Module]:
    """The decoder, and untrained networks of the rivals."""
    torch.manual_seed(0)
    latent = VAEConfig(size=16, latent=4, width=16)
    built: dict[str, nn.Module] = {
        "mirror": decoder(config_for(Mapped(), width=4, most=4, code=4)),
        "vae": VAE(latent),
        "expgan": ExpGAN(ExpGANConfig(size=16, classes=3, width=16)),
        "c3lt": C3LT(C3LTNetworks(latent, classes=3)),
    }
    for network in built.values():
        freeze(network)
    return built


def pool(part: Part) -> Pool:
    """Pictures of all three classes, other ones for each part."""
    images, labels = pictures(120)
    rows = slice(0, 60) if part == "val" else slice(60, 120)
    return Pool(images[rows].float() / 255, labels[rows])


def a_column(name: str = "mnist", decoder: type[MirrorDecoder] = Exact, **fewer: nn.Module) -> Column:
    """Led from left to middle and back."""
    return Column(name, "Toy thirds", Mapped(), fewer or networks(decoder), ((0, 1), (1, 0)), pool)


def an_entry(name: str = "mnist", *decoders: dict[str, object]) -> Entry:
    """An entry whose images are always here; every dict differs from the card of a decoder as the tables want it."""
    nowhere = Path("nowhere")
    cards = [
        {"name": f"Toy {i}", "kind": "mirror", "sha256": str(i), "config": {}, "recipe": {}} | card
        for i, card in enumerate(decoders or ({},))
    ]
    classifier = {"name": "Toy thirds", "sha256": "c", "class_names": ["left", "middle", "right"], "size": 16}
    models = tuple(Model(nowhere, card) for card in cards)
    return Here(name, name, Model(nowhere, classifier), models, {"vae": Model(nowhere, {"name": "V", "sha256": "v"})})


class Here(Entry):
    def missing(self) -> str:
        return ""

    def _data_hash(self) -> dict[str, str]:
        return {"toy": "1"}


@pytest.fixture
def column() -> Column:
    return a_column()


@pytest.fixture
def quick() -> Wish:
    return Wish(quick=True)
