"""The VAE as modules: encoder to mean and log variance, decoder to an image."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from cfcore.generators.convolutional import Down, Up, check_images, coarse_side, widths_of
from cfcore.training.weights import freeze, load_weights, read_card, save_weights


@dataclass(frozen=True)
class VAEConfig:
    """Sizes of the networks; 0.5 M parameters at 28 px, 1.1 M at 64 px.

    Attributes:
        size: pixels, 5 to 8 times a power of two. channels: 1 for grey, 3 for RGB.
        latent: length of z; 0: 32 up to 32 px, 64 above. width: channels of the coarsest map.

    Raises:
        ValueError: a size that cannot be halved down, or a number below 1.
    """

    size: int = 64
    channels: int = 1
    latent: int = 0
    width: int = 64

    def __post_init__(self) -> None:
        coarse_side(self.size)
        if self.latent == 0:
            object.__setattr__(self, "latent", 32 if self.size <= 32 else 64)
        for name in ("channels", "latent", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: choose at least 1")


class VAE(nn.Module):
    """z ~ N(0, I); E(x) gives mean and log variance of q(z | x), G(z) the image."""

    kind: ClassVar[str] = "vae"

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.side, _ = coarse_side(config.size)
        widths, cells = widths_of(config.size, config.width), config.width * self.side**2
        self.down = Down(config.channels, widths)
        self.code = nn.Linear(cells, 2 * config.latent)
        self.start = nn.Linear(config.latent, cells)
        self.up = Up(widths, config.channels)

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(n, latent) means and log variances of q(z | x) of (n, channels, size, size) images in [0, 1].

        Raises:
            ValueError: images of another size than the network's; says both.
        """
        check_images(images, self.config.channels, self.config.size, "the VAE")
        mean, log_variance = self.code(self.down(images * 2 - 1).flatten(1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 4)

    def encode(self, images: Tensor) -> Tensor:
        """(n, latent): the means. Raises ValueError as `posterior`."""
        return self.posterior(images)[0]

    def decode(self, z: Tensor) -> Tensor:
        """G(z): (n, latent) -> (n, channels, size, size) in [0, 1].

        Raises:
            ValueError: latents of another length than the weights'; says both.
        """
        if z.shape[1] != self.config.latent:
            raise ValueError(f"z has length {z.shape[1]}, these weights take {self.config.latent}: use their own")
        start = self.start(z).view(len(z), -1, self.side, self.side)
        return self.up(start).sigmoid()


def save_vae(folder: Path, model: VAE, card: dict[str, Any]) -> str:
    """Write weights and card; returns the SHA-256."""
    return save_weights(folder, model, {"kind": VAE.kind, "config": asdict(model.config)} | card)


def load_vae(folder: Path) -> VAE:
    """A frozen VAE from a model folder. Raises ValueError that says what is wrong with the folder."""
    card = read_card(folder)
    if card.get("kind") != VAE.kind:
        raise ValueError(f"the model folder holds a {card.get('kind')!r}, not a VAE")
    model = VAE(VAEConfig(**card["config"]))
    load_weights(folder, model)
    freeze(model)
    return model
