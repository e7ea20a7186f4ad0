"""How well an attribution names the pixels that the classifier uses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .fills import Order, filled, replace_top, top_pixels
from .names import Fill
from .score import Score


@dataclass(frozen=True)
class Curve:
    """A number of every image over the share of its pixels.

    Attributes:
        shares: (k,) ascending, in [0, 1]. values: (n, k).
    """

    shares: Tensor
    values: Tensor

    @property
    def area(self) -> Tensor:
        """(n,) area under the curve by the trapezoid rule, over the width of the shares: a mean height."""
        width = self.shares[-1] - self.shares[0]
        return torch.trapezoid(self.values, self.shares.to(self.values), dim=1) / width.to(self.values)


def drop_curve(score: Score, images: Tensor, attribution: Tensor, shares: Tensor, fill: Fill = "mean") -> Curve:
    """p(image) - p(image with its top share replaced), for every share: Table 2 of seed 001, as a curve.

    p is the sigmoid of the score; the drop is absolute, in [-1, 1]. Pixels go by value, the largest first.

    Args:
        images: (n, channels, *size). attribution: (n, 1, *size). shares: (k,) ascending, in [0, 1].

    Raises:
        ValueError: as `replace_top` and the score.
    """
    before = score.probability(images)
    after = [score.probability(replace_top(images, attribution, float(share), fill)) for share in shares]
    return Curve(shares, before[:, None] - torch.stack(after, dim=1))


def deletion(score: Score, images: Tensor, attribution: Tensor, steps: int = 20, fill: Fill = "mean") -> Curve:
    """p as pixels are taken out, the most important first, until none is left. `area` is the deletion AUC (Petsiuk et
    al., BMVC 2018): lower is better. `steps` equal shares of the pixels; errors as for `drop_curve`."""
    shares = _even(steps)
    found = [score.probability(replace_top(images, attribution, float(share), fill)) for share in shares]
    return Curve(shares, torch.stack(found, dim=1))


def insertion(score: Score, images: Tensor, attribution: Tensor, steps: int = 20, fill: Fill = "blur") -> Curve:
    """p as pixels are put back into a blurred image, the most important first. `area` is the insertion AUC (Petsiuk et
    al., BMVC 2018): higher is better. Arguments and errors as for `deletion`."""
    shares = _even(steps)
    shown = [filled(images, ~top_pixels(attribution, float(share)), fill) for share in shares]
    return Curve(shares, torch.stack([score.probability(some) for some in shown], dim=1))


def mass_share(attribution: Tensor, mass: float = 0.9) -> Tensor:
    """(n,) smallest share of the pixels that holds `mass` of the sum of |a|; nan for a map of zeros.

    Raises:
        ValueError: `mass` is not above 0 and at most 1.
    """
    if not 0 < mass <= 1:
        raise ValueError(f"mass is {mass:g}: choose a share of the sum above 0 and at most 1")
    size = attribution.flatten(1).abs().double().sort(dim=1, descending=True).values
    total = size.sum(dim=1, keepdim=True)
    # Rounding must not ask for pixels beyond those that hold everything.
    held = size.cumsum(dim=1) >= mass * total * (1 - 1e-12)
    share = (held.int().argmax(dim=1) + 1).double() / size.shape[1]
    return torch.where(total[:, 0] > 0, share, torch.nan)


def share_above(attribution: Tensor, threshold: float = 0.01) -> Tensor:
    """(n,) share of the pixels with |a| > threshold * (the map's largest |a|): the pixels of "non-zero" attribution of
    seed 001, section 4.2, whose threshold is not stated there. 0 counts all that are not exactly zero.

    Raises:
        ValueError: `threshold` is not in [0, 1).
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold is {threshold:g}: choose a share of the largest attribution from 0 to below 1")
    size = attribution.flatten(1).abs()
    return (size > threshold * size.amax(dim=1, keepdim=True)).double().mean(dim=1)


def top_iou(attribution: Tensor, truth: Tensor, by: Order = "size") -> Tensor:
    """(n,) overlap of the top pixels with a true mask, as many pixels as the mask has: intersection over union.

    Args:
        attribution, truth: (n, 1, *size), `truth` bool. by: as for `top_pixels`; without their sign where not said.

    Returns:
        (n,) in [0, 1]; nan where the mask is empty.

    Raises:
        ValueError: the two have different shapes.
    """
    if truth.shape != attribution.shape:
        raise ValueError(f"the mask is {tuple(truth.shape)}, the attribution {tuple(attribution.shape)}: make them one")
    true = truth.bool().flatten(1)
    found = top_pixels(attribution, true.double().mean(dim=1), by).flatten(1)
    both, either = (found & true).sum(dim=1).double(), (found | true).sum(dim=1).double()
    return torch.where(either > 0, both / either, torch.nan)


def _even(steps: int) -> Tensor:
    if steps < 1:
        raise ValueError(f"steps is {steps}: at least one step is needed, 20 are usual")
    return torch.linspace(0, 1, steps + 1)
