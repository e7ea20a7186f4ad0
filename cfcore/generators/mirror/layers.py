"""Blocks of the decoder. None depends on the rest of a batch, so that a picture is the same in any company."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from cfcore.classifiers.base import resize

SLOPE = 0.2


class Block(nn.Module):
    """Two 3 x 3 convolutions beside the identity, which a new block is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> the same."""
        return x + self.second(functional.leaky_relu(self.first(functional.leaky_relu(x, SLOPE)), SLOPE))


class Join(nn.Module):
    """1 x 1 convolution of two maps side by side, the second one coarser.

    The coarse map is convolved where it is and enlarged (linearly) afterwards: the same function as enlarging it first,
    with a quarter of the work or less. Enlarged by repetition, the 2 x 2 places of a small image's last map show in the
    picture as quarters with sharp borders.
    """

    def __init__(self, fine: int, coarse: int, outputs: int) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(fine, outputs, 1), nn.Conv2d(coarse, outputs, 1, bias=False)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(n, fine, h, w), (n, coarse, h', w') -> (n, outputs, h, w)."""
        return self.fine(fine) + resize(self.coarse(coarse), tuple(fine.shape[2:]))


class Editor(nn.Module):
    """The spatial pattern editor (SPE) of one skip: encode it, join it with A_k, decode it back (Eq. 12).

    What it decodes is added to the skip, so that a new editor changes nothing.

    Args:
        skip: channels of the skip. code: channels of A_k as it comes. width: between encoder and decoder.
    """

    def __init__(self, skip: int, code: int, width: int) -> None:
        super().__init__()
        self.encode, self.join = nn.Conv2d(skip, width, 1), Join(width, code, width)
        self.spread = nn.Conv2d(width, width, 3, padding=1)
        self.decode = nn.Conv2d(width, skip, 1)
        nn.init.zeros_(self.decode.weight)
        nn.init.zeros_(self.decode.bias)  # type: ignore[arg-type]

    def forward(self, skip: Tensor, code: Tensor) -> Tensor:
        """(n, skip, h, w), (n, code, h', w') -> (n, skip, h, w)."""
        joined = self.join(functional.leaky_relu(self.encode(skip), SLOPE), code)
        spread = self.spread(functional.leaky_relu(joined, SLOPE))
        return skip + self.decode(functional.leaky_relu(spread, SLOPE))


class Spread(nn.Module):
    """Pixel shuffle and a mean over `factor` x `factor` pixels, in which no grid of that period is left.

    The pixels between come from convolutions of their own, and what these have in common is a grid over the whole
    picture, from the first iteration on (Sugawara et al. 2018).
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """(n, width x factor^2, h, w) -> (n, width, h x factor, w x factor)."""
        shuffled = functional.pixel_shuffle(x, self.factor)
        before = (self.factor - 1) // 2
        after = self.factor - 1 - before
        padded = functional.pad(shuffled, (before, after, before, after), mode="replicate")
        return functional.avg_pool2d(padded, self.factor, stride=1)
