"""Drawing an image anew with one style coordinate changed, from what the unchanged drawing left behind."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cfcore.engines.codes import image_styles_of, styles_of
from cfcore.generators.layers import ModulatedConv, upsample
from cfcore.generators.stylex import StylEx
from cfcore.generators.stylex.synthesis import StyledConv


@dataclass(frozen=True)
class Layer:
    """What one convolution saw and made of n images.

    Attributes:
        inputs: (n, c_in, h, w). sums: (n, c_out, h, w), the convolution of the styled inputs before demodulation.
        energy: (n, c_out) sum of squares that demodulation divides by. before: (n, 1, *) image drawn by the levels
            below, None at the first.
    """

    inputs: Tensor
    sums: Tensor
    energy: Tensor
    before: Tensor | None


class Redraw:
    """n images drawn once; then any of them again with one StyleSpace coordinate at another value.

    Layers below the coordinate's own give the same features, so they are not run again; in its own layer only one
    input channel changes, and a convolution is linear in its input channels: the sum gets one channel's share more,
    the demodulation energy one square. The result is `StylEx.decode_styles` up to rounding.

    Args:
        w: (n, width) codes, or refined (n, rows * width). label: (n,) class that conditions G, here and in every
            redrawing.
    """

    @torch.no_grad()
    def __init__(self, generator: StylEx, w: Tensor, label: Tensor) -> None:
        self.generator = generator
        self.synthesis = generator.synthesis
        self.convs: list[StyledConv] = list(self.synthesis.convs)  # type: ignore[arg-type]
        self.styles = styles_of(generator, w, label)
        self.image_styles = image_styles_of(generator, w, label)
        self.starts = torch.tensor([0, *self.synthesis.style_lengths]).cumsum(0).tolist()
        self.weights = [_weight(conv.conv) for conv in self.convs]
        self.squares = [weight.square().sum(dim=(2, 3)) for weight in self.weights]
        self.floors = [(conv.noise * conv.strength + conv.bias[:, None, None]) * math.sqrt(2) for conv in self.convs]
        self.layers: list[Layer] = []
        self.drawn = self._draw_all()

    def _style(self, layer: int, rows: Tensor | slice = slice(None)) -> Tensor:
        return self.styles[rows, self.starts[layer] : self.starts[layer + 1]]

    def _draw_all(self) -> Tensor:
        out = self.synthesis.constant.expand(len(self.styles), -1, -1, -1)
        image: Tensor | None = None
        for i in range(len(self.convs)):
            before = image
            style = self._style(i)
            sums = self._sums(i, out, style)
            energy = style.square() @ self.squares[i].T
            self.layers.append(Layer(out, sums, energy, before))
            out = self._finish(i, sums, energy)
            if _ends_level(i):
                image = self._onto(i, out, before, slice(None))
        assert image is not None
        return self.synthesis.finish(image, self.image_styles).clamp(0, 1)

    def _sums(self, layer: int, inputs: Tensor, style: Tensor) -> Tensor:
        return functional.conv2d(inputs * style[:, :, None, None], self.weights[layer], padding=1)

    def _finish(self, layer: int, sums: Tensor, energy: Tensor) -> Tensor:
        """Demodulation, enlarging, noise, bias, activation: what StyledConv does after its convolution."""
        # The activation's gain sits in the factor and the floor (leaky ReLU is positively homogeneous); demodulation
        # commutes with the linear enlargement: one pass over the enlarged features instead of four.
        factor = ((energy + 1e-8) / 2).rsqrt()[:, :, None, None]
        large = upsample(sums) if self.convs[layer].up else sums
        return functional.leaky_relu_(torch.addcmul(self.floors[layer], large, factor), 0.2)

    def _onto(self, layer: int, out: Tensor, before: Tensor | None, rows: Tensor | slice) -> Tensor:
        """The image after the level that ends with convolution `layer`."""
        level = _level(layer)
        drawn = self.synthesis.to_image[level](out, self.image_styles[level][rows]) + self.synthesis.image_bias[level]
        return drawn if before is None else upsample(before) + drawn

    def by_layer(self, pairs: Tensor) -> list[Tensor]:
        """For every convolution the places in `pairs` (numbers 2 j + side) whose coordinate j is of its style."""
        layer = torch.bucketize(pairs // 2, torch.tensor(self.starts[1:]), right=True)
        return [(layer == i).nonzero()[:, 0] for i in range(len(self.convs))]

    @torch.no_grad()
    def draw(self, rows: Tensor, layer: int, channels: Tensor, values: Tensor) -> Tensor:
        """b images, each with one coordinate of the same layer at another value.

        Args:
            rows: (b,) which of the n images. layer: convolution whose style changes.
            channels: (b,) channel in that layer. values: (b,) new style values.

        Returns:
            (b, 1, size, size) in [0, 1].
        """
        stored, style = self.layers[layer], self._style(layer, rows)
        at = torch.arange(len(rows), device=rows.device)
        old = style[at, channels]
        changed = stored.inputs[rows, channels][:, None]
        height, width = changed.shape[2:]
        patches = functional.unfold(changed, 3, padding=1)
        weight = self.weights[layer][:, channels].flatten(2).transpose(0, 1)
        share = torch.bmm(weight, patches).view(len(rows), -1, height, width)
        sums = stored.sums[rows] + (values - old)[:, None, None, None] * share
        energy = stored.energy[rows] + (values.square() - old.square())[:, None] * self.squares[layer].T[channels]
        out = self._finish(layer, sums, energy)
        image = None if stored.before is None else stored.before[rows]
        if _ends_level(layer):
            image = self._onto(layer, out, image, rows)
        for i in range(layer + 1, len(self.convs)):
            style = self._style(i, rows)
            out = self._finish(i, self._sums(i, out, style), style.square() @ self.squares[i].T)
            if _ends_level(i):
                image = self._onto(i, out, image, rows)
        assert image is not None
        return self.synthesis.finish(image, [style[rows] for style in self.image_styles]).clamp(0, 1)


def _weight(conv: ModulatedConv) -> Tensor:
    return conv.weight * conv.gain


def _level(layer: int) -> int:
    """The first level has one convolution, every other two."""
    return (layer + 1) // 2


def _ends_level(layer: int) -> bool:
    return layer % 2 == 0
