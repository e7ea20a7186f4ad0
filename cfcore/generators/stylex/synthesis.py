"""The generator: mapping network, styles, and modulated synthesis."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ..layers import EqualLinear, ModulatedConv, activate, deactivate, upsample
from .detail import Detail


class Mapping(nn.Module):
    """z ~ N(0, I) and a label to w: 8 fully connected layers with a hundredth of the learning rate."""

    def __init__(self, width: int, classes: int, layers: int = 8) -> None:
        super().__init__()
        self.straight = False  # no activation after the last layer
        self.embedding = nn.Embedding(classes, width)
        sizes = [2 * width] + [width] * layers
        self.layers = nn.ModuleList(EqualLinear(a, b, rate=0.01) for a, b in pairwise(sizes))

    @property
    def last(self) -> EqualLinear:
        layer = self.layers[-1]
        assert isinstance(layer, EqualLinear)
        return layer

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """(n, width), (n,) -> (n, width)."""
        out = torch.cat([_unit(z), _unit(self.embedding(label))], dim=1)
        for layer in self.layers[:-1]:
            out = activate(layer(out))
        return self.last(out) if self.straight else activate(self.last(out))

    @torch.no_grad()
    def match(self, codes: Tensor, generator: torch.Generator, draws: int = 4) -> None:
        """Set the last layer so that the codes it gives have mean and covariance of (n, width) `codes`.

        Both are matched before the last activation, which is undone on `codes`. Uses `draws` * n random z under random
        labels. Raises ValueError for fewer than two codes.
        """
        self.set_last(*self.matched(deactivate(codes), generator, draws))

    @torch.no_grad()
    def set_last(self, weight: Tensor, bias: Tensor) -> None:
        """Make the last layer act as (width, width) `weight` and (width,) `bias`."""
        self.last.weight.copy_(weight / self.last.gain)
        self.last.bias.copy_(bias / self.last.rate)

    @torch.no_grad()
    def matched(self, wanted: Tensor, generator: torch.Generator, draws: int = 4) -> tuple[Tensor, Tensor]:
        """Weight and bias, as they act, of a last layer whose output, before its activation, has mean and covariance of
        (n, width) `wanted`. Raises ValueError for fewer than two rows."""
        if len(wanted) < 2:
            raise ValueError(f"a covariance needs at least 2 codes, got {len(wanted)}")
        n = draws * len(wanted)
        z = torch.randn(n, wanted.shape[1], generator=generator).to(wanted)
        label = torch.randint(self.embedding.num_embeddings, (n,), generator=generator).to(wanted.device)
        hidden = torch.cat([_unit(z), _unit(self.embedding(label))], dim=1)
        for layer in self.layers[:-1]:
            hidden = activate(layer(hidden))
        # Rounded as on disk before the bias makes up for the mean, which is large beside the spread.
        weight = (_root(wanted, 0.5) @ _root(hidden, -0.5)).half().to(wanted)
        return weight, wanted.mean(dim=0) - weight @ hidden.mean(dim=0)


def _root(rows: Tensor, power: float) -> Tensor:
    """The covariance of (n, d) rows to the given power, its near-empty dimensions held up."""
    values, vectors = torch.linalg.eigh(torch.cov(rows.double().T))
    values = values.clamp(min=1e-6 * values[-1].item())
    return (vectors * values**power @ vectors.T).to(rows)


def _unit(x: Tensor) -> Tensor:
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class StyledConv(nn.Module):
    """Modulated 3 x 3 convolution, fixed noise, bias, activation."""

    def __init__(self, inputs: int, outputs: int, size: int, *, up: bool = False) -> None:
        super().__init__()
        self.up = up
        self.conv = ModulatedConv(inputs, outputs, 3)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(()))
        # One noise map for ever: an explanation must give the same bytes twice (METHODS, common to all).
        self.noise: Tensor
        self.register_buffer("noise", torch.randn(1, 1, size, size))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        out = self.conv(x, style)
        if self.up:
            # Convolve, then enlarge: like StyleGAN2's transposed convolution and blur, at a quarter of the work of the
            # other order.
            out = upsample(out)
        return activate(out + self.noise * self.strength + self.bias[:, None, None])


class Synthesis(nn.Module):
    """Styles to an image.

    Args:
        size: output pixels, a power of two from 8.
        channels: feature channels per resolution, from 4 up to `size`.
        width: length of w. condition: length of the label embedding that stands beside w before every style affine.

    The StyleSpace is the concatenation of the styles of all convolutions except ToRGB; m is its length.
    """

    def __init__(self, size: int, channels: dict[int, int], width: int, condition: int) -> None:
        super().__init__()
        self.size, self.width = size, width
        self.detail: Detail | None = None
        self.constant = nn.Parameter(torch.randn(1, channels[4], 4, 4))
        self.convs = nn.ModuleList()
        self.affines: list[EqualLinear] = nn.ModuleList()  # type: ignore[assignment]
        self.image_affines: list[EqualLinear] = nn.ModuleList()  # type: ignore[assignment]
        self.to_image, self.image_bias = nn.ModuleList(), nn.ParameterList()
        previous, resolution = channels[4], 4
        while resolution <= size:
            now = channels[resolution]
            if resolution > 4:
                self._add(previous, now, resolution, width + condition, up=True)
            self._add(now, now, resolution, width + condition)
            self.to_image.append(ModulatedConv(now, 1, 1, demodulate=False))
            self.image_affines.append(EqualLinear(width + condition, now, bias=1.0))
            self.image_bias.append(nn.Parameter(torch.zeros(1)))
            previous, resolution = now, resolution * 2

    def _add(self, inputs: int, outputs: int, size: int, affine_inputs: int, *, up: bool = False) -> None:
        self.convs.append(StyledConv(inputs, outputs, size, up=up))
        self.affines.append(EqualLinear(affine_inputs, inputs, bias=1.0))

    @property
    def style_lengths(self) -> list[int]:
        """Length of the style of each convolution; their sum is m."""
        return [affine.weight.shape[0] for affine in self.affines]

    def styles(self, w: Tensor, condition: Tensor) -> Tensor:
        """(n, m) StyleSpace coordinates of (n, width) codes under (n, condition) label embeddings."""
        inputs = torch.cat([w, condition], dim=1)
        return torch.cat([affine(inputs) for affine in self.affines], dim=1)

    def image_styles(self, w: Tensor, condition: Tensor) -> list[Tensor]:
        """Styles of the ToRGB layers, which AttFind and EigenFind leave alone; last, where there is a detail layer, its
        coordinates."""
        inputs = torch.cat([w, condition], dim=1)
        return [affine(inputs) for affine in self.image_affines] + self._detail_style(w)

    def styles_of_rows(self, rows: Tensor, condition: Tensor) -> Tensor:
        """`styles` of (n, rows, width) codes: row i drives convolution i."""
        inputs = [torch.cat([row, condition], dim=1) for row in rows.unbind(dim=1)]
        return torch.cat([affine(inputs[i]) for i, affine in enumerate(self.affines)], dim=1)

    def image_styles_of_rows(self, rows: Tensor, condition: Tensor) -> list[Tensor]:
        """`image_styles` of (n, rows, width) codes: ToRGB of level l takes the row of the convolution that follows it,
        as StyleGAN2 does; the detail layer goes with the last one."""
        inputs = [torch.cat([row, condition], dim=1) for row in rows.unbind(dim=1)]
        found = [affine(inputs[2 * i + 1]) for i, affine in enumerate(self.image_affines)]
        return found + self._detail_style(rows[:, -1])

    def _detail_style(self, w: Tensor) -> list[Tensor]:
        return [] if self.detail is None else [self.detail.coordinates(w)]

    def draw(self, styles: Tensor, image_styles: list[Tensor]) -> Tensor:
        """(n, m) styles to (n, 1, size, size) images in about [0, 1], not clamped."""
        parts = iter(styles.split(self.style_lengths, dim=1))
        out = self.constant.expand(len(styles), -1, -1, -1)
        image: Tensor | None = None
        convs = iter(self.convs)
        for level, to_image in enumerate(self.to_image):
            for _ in range(1 if level == 0 else 2):
                out = next(convs)(out, next(parts))
            layer = to_image(out, image_styles[level]) + self.image_bias[level]
            image = layer if image is None else upsample(image) + layer
        assert image is not None
        return self.finish(image, image_styles)

    def finish(self, image: Tensor, image_styles: list[Tensor]) -> Tensor:
        """The sum of the ToRGB layers as grey values, with the detail that `image_styles` name, if they do."""
        image = image * 0.25 + 0.5
        if self.detail is None or len(image_styles) == len(self.to_image):
            return image
        return image + self.detail(image_styles[-1])

    def forward(self, w: Tensor, condition: Tensor) -> Tensor:
        return self.draw(self.styles(w, condition), self.image_styles(w, condition))

    def plain(self, w: Tensor, condition: Tensor) -> Tensor:
        """The picture without its detail layer."""
        return self.draw(self.styles(w, condition), self.image_styles(w, condition)[: len(self.to_image)])
