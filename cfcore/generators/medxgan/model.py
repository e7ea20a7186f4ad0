"""medXGAN as modules: the generator with its encoder, and the discriminator that it is trained with."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from cfcore.training.weights import freeze, load_weights, read_card, save_weights

START = 4  # px a side of the first map


@dataclass(frozen=True)
class MedXGANConfig:
    """Sizes of the networks.

    Attributes:
        size: pixels, 4 times a power of two. anatomy, pathology: lengths of z1 and z2.
        channels: feature channels by resolution, of generator, encoder and discriminator alike.
        encoder: there is one that was trained along, from whose codes a search may start; the paper has none.

    Raises:
        ValueError: a size without channels, or a latent without length.
    """

    size: int = 64
    anatomy: int = 100
    pathology: int = 10
    channels: Mapping[int, int] = field(default_factory=lambda: {4: 256, 8: 128, 16: 64, 32: 32, 64: 16})
    encoder: bool = True

    def scaled(self, width: float) -> MedXGANConfig:
        """The same with every number of channels times `width`, at least 1."""
        return replace(self, channels={side: max(1, round(n * width)) for side, n in self.channels.items()})

    def __post_init__(self) -> None:
        # JSON has no integer keys.
        object.__setattr__(self, "channels", {int(side): int(n) for side, n in self.channels.items()})
        if self.anatomy < 1 or self.pathology < 1:
            raise ValueError(f"z1 has length {self.anatomy}, z2 {self.pathology}: choose at least 1 for both")
        side = START
        while side < self.size:
            if side not in self.channels:
                raise ValueError(f"no channels are given for {side} px, which a picture of {self.size} px needs")
            side *= 2
        if side != self.size:
            raise ValueError(f"size is {self.size}: choose 4 times a power of two, like 64 or 128")

    @property
    def sides(self) -> list[int]:
        """Resolutions of the maps, from 4 px to half the picture."""
        return sorted(side for side in self.channels if side < self.size)


class Decoder(nn.Module):
    """G(z1, z2): concatenate, one linear layer, transposed convolutions with batch norm and ReLU, tanh (METHODS 2)."""

    def __init__(self, config: MedXGANConfig) -> None:
        super().__init__()
        widths = [config.channels[side] for side in config.sides]
        self.first = nn.Linear(config.anatomy + config.pathology, widths[0] * START * START)
        self.first_norm = nn.BatchNorm2d(widths[0])
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += [
                nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
            ]  # fmt: skip
        layers.append(nn.ConvTranspose2d(widths[-1], 1, 4, 2, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, z1: Tensor, z2: Tensor) -> Tensor:
        """(n, anatomy), (n, pathology) -> (n, 1, size, size) in [0, 1]."""
        start = self.first(torch.cat([z1, z2], dim=1)).view(len(z1), -1, START, START)
        drawn = self.layers(self.first_norm(start).relu().contiguous(memory_format=torch.channels_last))
        return drawn.tanh() * 0.5 + 0.5


class Trunk(nn.Sequential):
    """Strided convolutions with leaky ReLU, down to 4 px, flattened: of encoder and discriminator.

    Args:
        dropout: share of the channels left out at each resolution while training.
    """

    def __init__(self, config: MedXGANConfig, dropout: float = 0.0) -> None:
        widths = [1, *(config.channels[side] for side in reversed(config.sides))]
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2)]
            if dropout:
                layers.append(nn.Dropout2d(dropout))
        super().__init__(*layers, nn.Flatten())
        self.outputs = widths[-1] * START * START


class Encoder(nn.Module):
    """Where an image lies in (z1, z2): mean and log variance of each. Ours: the paper has none, and searches."""

    def __init__(self, config: MedXGANConfig) -> None:
        super().__init__()
        self.trunk = Trunk(config)
        self.last = nn.Linear(self.trunk.outputs, 2 * (config.anatomy + config.pathology))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(n, anatomy + pathology) means and log variances of (n, 1, size, size) images in [0, 1]."""
        mean, log_variance = self.last(self.trunk(images * 2 - 1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 4)


class Discriminator(nn.Module):
    """(n,) logits, positive for real images: strided convolutions, leaky ReLU, dropout (METHODS 2)."""

    def __init__(self, config: MedXGANConfig, dropout: float = 0.25) -> None:
        super().__init__()
        self.trunk = Trunk(config, dropout)
        self.last = nn.Linear(self.trunk.outputs, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.trunk(images * 2 - 1))[:, 0]


class MedXGAN(nn.Module):
    """Generator and encoder. z1 ~ N(0, I) is anatomy; z2 is pathology: 0 for the negative class, N(0, I) for the
    positive one."""

    kind: ClassVar[str] = "medxgan"

    def __init__(self, config: MedXGANConfig) -> None:
        super().__init__()
        self.config = config
        self.decoder = Decoder(config)
        self.encoder = Encoder(config)

    def decode(self, z1: Tensor, z2: Tensor) -> Tensor:
        """G(z1, z2): (n, 1, size, size) in [0, 1].

        Raises:
            ValueError: latents of another length than the weights'; says both.
        """
        expected, found = (self.config.anatomy, self.config.pathology), (z1.shape[1], z2.shape[1])
        if expected != found:
            raise ValueError(f"z1 and z2 have lengths {found}, these weights take {expected}: use their own latents")
        return self.decoder(z1, z2)

    def check(self, images: Tensor) -> None:
        """Raises ValueError, which says both, where images are not (n, 1, size, size) of the network's size."""
        size = self.config.size
        if tuple(images.shape[1:]) != (1, size, size):
            raise ValueError(
                f"the generator draws images (n, 1, {size}, {size}), these are {tuple(images.shape)}: resize them, or "
                "choose the generator of their size"
            )

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(n, anatomy) and (n, pathology): the encoder's means, where a search may start.

        Raises:
            ValueError: no encoder was trained, or images of another size than the network's; says both.
        """
        if not self.config.encoder:
            raise ValueError("this generator was trained without an encoder: invert from N(0, I) instead")
        self.check(images)
        z1, z2 = self.encoder(images)[0].split([self.config.anatomy, self.config.pathology], dim=1)
        return z1, z2


def save_medxgan(folder: Path, model: MedXGAN, card: dict[str, Any], discriminator: Discriminator | None = None) -> str:
    """Write weights and card, and the discriminator so that training can go on later; returns the SHA-256."""
    if discriminator is not None:
        save_weights(folder / "discriminator", discriminator, {"kind": "medxgan discriminator"})
    return save_weights(folder, model, {"kind": MedXGAN.kind, "config": asdict(model.config)} | card)


def load_medxgan(folder: Path) -> MedXGAN:
    """A frozen generator from a model folder. Raises ValueError that says what is wrong with the folder."""
    card = read_card(folder)
    if card.get("kind") != MedXGAN.kind:
        raise ValueError(f"the model folder holds a {card.get('kind')!r}, not a medXGAN generator")
    model = MedXGAN(MedXGANConfig(**card["config"]))
    load_weights(folder, model)
    freeze(model)
    return model
