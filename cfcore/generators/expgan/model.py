"""ExplainGAN as a module: one encoder, and one decoder each for the image and for the mask."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from cfcore.generators.convolutional import Down, SmoothUp, check_images, coarse_side, one_hot, widths_of
from cfcore.training.weights import freeze, load_weights, read_card, save_weights


@dataclass(frozen=True)
class ExpGANConfig:
    """Sizes of the networks; 0.5 M parameters at 28 px, 0.6 M at 64 px.

    Attributes:
        size: pixels, 5 to 8 times a power of two. channels: 1 for grey, 3 for RGB. classes: of the classifier.
        width: channels of the coarsest map.

    Raises:
        ValueError: a size that cannot be halved down, fewer than two classes, or a number below 1.
    """

    size: int = 64
    channels: int = 1
    classes: int = 2
    width: int = 64

    def __post_init__(self) -> None:
        coarse_side(self.size)
        for name, least in (("channels", 1), ("classes", 2), ("width", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: choose at least {least}")


class ExpGAN(nn.Module):
    """Draws G and m for an image and a class; the counterfactual is x (1 - m) + G m.

    One network serves all pairs of classes: the class joins the coarsest map as one-hot channels. The paper has own
    decoders for each class, and a third one for the reconstruction; here that is G under the image's own class. The
    encoder's maps up to half the image's size join the decoders' (ours): the paper's bottleneck needs far more
    iterations than a CPU has until G draws anything.
    """

    kind: ClassVar[str] = "expgan"

    def __init__(self, config: ExpGANConfig) -> None:
        super().__init__()
        self.config = config
        widths = widths_of(config.size, config.width)
        self.down = Down(config.channels, widths)
        self.joined = nn.Conv2d(config.width + config.classes, config.width, 3, padding=1)
        self.image, self.mask = SmoothUp(widths, config.channels), SmoothUp(widths, 1)
        self.apply(_keep_spread)

    def forward(self, images: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """(n, channels, size, size) images in [0, 1], (n,) classes -> G in the same shape and m (n, 1, size, size),
        both in [0, 1].

        Raises:
            ValueError: images of another size than the network's; says both.
        """
        check_images(images, self.config.channels, self.config.size, "ExplainGAN")
        *finer, coarse = self.down.maps(images * 2 - 1)
        told = one_hot(label, self.config.classes, coarse)[:, :, None, None].expand(-1, -1, *coarse.shape[2:])
        coarse = functional.leaky_relu(self.joined(torch.cat([coarse, told], dim=1)), 0.2)
        return self.image(finer, coarse).sigmoid(), self.mask(finer, coarse).sigmoid()

    def counterfactual(self, images: Tensor, label: Tensor) -> Tensor:
        """x (1 - m) + G m. Raises ValueError as `forward`."""
        return composite(images, *self(images, label))


def _keep_spread(module: nn.Module) -> None:
    """He's initialisation: with the usual one an image fades from layer to layer, and G stays an even grey."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=0.2)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def composite(images: Tensor, drawn: Tensor, mask: Tensor) -> Tensor:
    """x (1 - m) + G m (Samangouei et al. 2018)."""
    return images + mask * (drawn - images)


def save_expgan(folder: Path, model: ExpGAN, card: dict[str, Any]) -> str:
    """Write weights and card; returns the SHA-256."""
    return save_weights(folder, model, {"kind": ExpGAN.kind, "config": asdict(model.config)} | card)


def load_expgan(folder: Path) -> ExpGAN:
    """A frozen ExplainGAN from a model folder. Raises ValueError that says what is wrong with the folder."""
    card = read_card(folder)
    if card.get("kind") != ExpGAN.kind:
        raise ValueError(f"the model folder holds a {card.get('kind')!r}, not an ExplainGAN generator")
    model = ExpGAN(ExpGANConfig(**card["config"]))
    load_weights(folder, model)
    freeze(model)
    return model
