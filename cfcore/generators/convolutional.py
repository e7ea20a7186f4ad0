"""Small convolutional networks between images of 28 px and more and maps of 5 to 8 px a side: the parts of the VAE, of
ExplainGAN and of C3LT."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from cfcore.generators.mirror.layers import Join

COARSE = 8  # px a side of the coarsest map, at most
LEAST_CHANNELS = 8


def coarse_side(size: int) -> tuple[int, int]:
    """(pixels a side of the coarsest map, halvings that lead there) of an image of `size` px.

    Raises:
        ValueError: a size that cannot be halved down to 5 to 8 px.
    """
    side, halvings = size, 0
    while side > COARSE:
        if side % 2:
            raise ValueError(f"size is {size}: choose 5 to 8 times a power of two, like 28, 64 or 128")
        side, halvings = side // 2, halvings + 1
    if not halvings or side < 5:
        raise ValueError(f"size is {size}: choose 5 to 8 times a power of two, like 28, 64 or 128")
    return side, halvings


def widths_of(size: int, width: int) -> tuple[int, ...]:
    """Feature channels by resolution, from half the image's size to the coarsest map, which has `width`; so has the
    next, and every finer one has half as many."""
    _, halvings = coarse_side(size)
    return tuple(max(LEAST_CHANNELS, width >> max(0, level - 1)) for level in reversed(range(halvings)))


class Down(nn.Sequential):
    """(n, inputs, size, size) -> (n, widths[-1], side, side): a strided convolution with leaky ReLU a halving.

    Args:
        dropout: share of the channels left out at each resolution while training.
    """

    def __init__(self, inputs: int, widths: Sequence[int], dropout: float = 0.0) -> None:
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise((inputs, *widths)):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
            if dropout:
                layers.append(nn.Dropout2d(dropout))
        super().__init__(*layers)
        self.stride = 3 if dropout else 2  # layers a resolution

    def maps(self, images: Tensor) -> list[Tensor]:
        """What comes out at every resolution, fine to coarse; the last is what `forward` gives."""
        found, out = [], images
        for i, layer in enumerate(self, start=1):
            out = layer(out)
            if i % self.stride == 0:
                found.append(out)
        return found


class Up(nn.Sequential):
    """(n, widths[-1], side, side) -> (n, outputs, size, size) without a last activation: a transposed convolution and a
    3 x 3 one a doubling."""

    def __init__(self, widths: Sequence[int], outputs: int) -> None:
        finest = max(LEAST_CHANNELS, widths[0] // 2)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise((*reversed(widths), finest)):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
            layers += [nn.Conv2d(after, after, 3, padding=1), nn.LeakyReLU(0.2)]
        layers[-2:] = [nn.Conv2d(finest, outputs, 3, padding=1)]
        super().__init__(*layers)


class SmoothUp(nn.Module):
    """Back from the maps of a `Down` to pictures, without a last activation; a map joins those of its resolution.

    What is coarse is enlarged linearly: a transposed convolution repeats its own grid over the picture (Odena et al.
    2016), and a classifier that is to be convinced learns to read it.
    """

    def __init__(self, widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        finest = max(LEAST_CHANNELS, widths[0] // 2)
        self.joins = nn.ModuleList(Join(fine, coarse, fine) for fine, coarse in itertools.pairwise(widths))
        self.mixes = nn.ModuleList(nn.Conv2d(fine, fine, 3, padding=1) for fine in widths[:-1])
        self.grow = nn.Sequential(
            nn.Conv2d(widths[0], finest, 3, padding=1),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.LeakyReLU(0.2),
            nn.Conv2d(finest, outputs, 3, padding=1),
        )

    def forward(self, finer: Sequence[Tensor], coarse: Tensor) -> Tensor:
        """(n, widths[i], size / 2^(i + 1), ...) maps but the last, fine to coarse, and (n, widths[-1], side, side) ->
        (n, outputs, size, size)."""
        out = coarse
        for i in reversed(range(len(finer))):
            joined = functional.leaky_relu(self.joins[i](finer[i], out), 0.2)
            out = functional.leaky_relu(self.mixes[i](joined), 0.2)
        return self.grow(out)


class Critic(nn.Module):
    """The discriminator: one logit a class, positive for real images of that class. Trained along, never drawn with."""

    def __init__(self, size: int, channels: int, classes: int, width: int, dropout: float = 0.25) -> None:
        super().__init__()
        side, _ = coarse_side(size)
        self.trunk = Down(channels, widths_of(size, width), dropout)
        self.last = nn.Linear(width * side * side, classes)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        """(n, channels, size, size) in [0, 1], (n,) classes -> (n,) logits."""
        return self.last(self.trunk(images * 2 - 1).flatten(1)).gather(1, label[:, None])[:, 0]


def check_images(images: Tensor, channels: int, size: int, who: str) -> None:
    """Raises ValueError where (n, channels, size, size) images have another shape; says both."""
    expected = (channels, size, size)
    if tuple(images.shape[1:]) != expected:
        raise ValueError(f"{who} takes images (n, {', '.join(map(str, expected))}), not {tuple(images.shape)}: resize")


def one_hot(label: Tensor, classes: int, like: Tensor) -> Tensor:
    """(n, classes) of (n,) classes, in the type of `like`."""
    return functional.one_hot(label, classes).to(like)
