"""C3LT as a module: the frozen VAE whose latent is moved, and the network that moves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from cfcore.generators.convolutional import one_hot
from cfcore.generators.vae import VAE, VAEConfig
from cfcore.training.weights import freeze, load_weights, read_card, save_weights


@dataclass(frozen=True)
class C3LTConfig:
    """Sizes of the networks.

    Attributes:
        vae: of the pretrained generator. classes: of the classifier.
        hidden: neurons between the two layers of the transformation. steps: transformations one after the other.

    Raises:
        ValueError: fewer than two classes, or a number below 1.
    """

    vae: VAEConfig = field(default_factory=VAEConfig)
    classes: int = 2
    hidden: int = 256
    steps: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.vae, Mapping):  # as a card has it
            object.__setattr__(self, "vae", VAEConfig(**self.vae))
        for name, least in (("classes", 2), ("hidden", 1), ("steps", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: choose at least {least}")


class Transformation(nn.Module):
    """T(z, s, t) = z + B relu(A [z, s, t]), scaled to the length of z: the paper's two layers, its step and its length.

    The paper has one such network for every ordered pair of classes; here one is told source and target as one-hot
    vectors, so that it serves all pairs, and its hidden layer is wider than z.
    """

    def __init__(self, latent: int, classes: int, hidden: int) -> None:
        super().__init__()
        self.classes = classes
        self.first = nn.Linear(latent + 2 * classes, hidden)
        self.second = nn.Linear(hidden, latent)

    def forward(self, z: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """(n, latent), (n,) and (n,) classes -> (n, latent)."""
        told = [z, one_hot(source, self.classes, z), one_hot(target, self.classes, z)]
        moved = z + self.second(functional.relu(self.first(torch.cat(told, dim=1))))
        return functional.normalize(moved, dim=1) * z.norm(dim=1, keepdim=True)


class C3LT(nn.Module):
    """The VAE, which stays as it was trained, and the transformation in its latent.

    The paper takes a GAN with an encoder trained afterwards; ours is the VAE of this project, whose encoder gives the
    latent. Its weights travel with the transformation.
    """

    kind: ClassVar[str] = "c3lt"

    def __init__(self, config: C3LTConfig, vae: VAE | None = None) -> None:
        super().__init__()
        self.config = config
        self.vae = VAE(config.vae) if vae is None else vae
        self.vae.requires_grad_(False).eval()
        self.transformation = Transformation(self.vae.config.latent, config.classes, config.hidden)

    def train(self, mode: bool = True) -> C3LT:
        super().train(mode)
        self.vae.eval()
        return self

    def encode(self, images: Tensor) -> Tensor:
        """(n, latent) of (n, channels, size, size) images in [0, 1]. Raises ValueError as `VAE.posterior`."""
        return self.vae.encode(images)

    def decode(self, z: Tensor) -> Tensor:
        """(n, channels, size, size) in [0, 1] of (n, latent)."""
        return self.vae.decode(z)

    def move(self, z: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """(n, latent): all steps from (n,) source to (n,) target classes; z itself where the two are the same class."""
        moved = z
        for _ in range(self.config.steps):
            moved = self.transformation(moved, source, target)
        return torch.where((source == target)[:, None], z, moved)


def save_c3lt(folder: Path, model: C3LT, card: dict[str, Any]) -> str:
    """Write weights, those of the VAE among them, and card; returns the SHA-256."""
    return save_weights(folder, model, {"kind": C3LT.kind, "config": asdict(model.config)} | card)


def load_c3lt(folder: Path) -> C3LT:
    """A frozen C3LT with its VAE from a model folder. Raises ValueError that says what is wrong with the folder."""
    card = read_card(folder)
    if card.get("kind") != C3LT.kind:
        raise ValueError(f"the model folder holds a {card.get('kind')!r}, not a C3LT generator")
    model = C3LT(C3LTConfig(**card["config"]))
    load_weights(folder, model)
    freeze(model)
    return model
