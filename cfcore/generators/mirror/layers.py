"""Blocks of the decoder. None depends on the rest of a batch, so that a picture is the same in any company."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

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

    The coarse map is convolved where it is and enlarged (by repetition) afterwards: the same function as enlarging it
    first, with a quarter of the work or less.
    """

    def __init__(self, fine: int, coarse: int, outputs: int) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(fine, outputs, 1), nn.Conv2d(coarse, outputs, 1, bias=False)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(n, fine, h, w), (n, coarse, h', w') -> (n, outputs, h, w)."""
        return self.fine(fine) + functional.interpolate(self.coarse(coarse), fine.shape[2:], mode="nearest")


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
