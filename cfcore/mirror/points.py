"""The way from an image's features to their mirror image: z_k = z + k step, 0 <= k <= 1.

Rows may have different source and target classes. W is (classes, d), b (classes,), z (n, d), source and target (n,).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .names import POINTS, Points


def step_of(points: Points, z: Tensor, weight: Tensor, bias: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """(n, d) from z to its mirror image, by the way of finding it that `points` names.

    Raises:
        ValueError: no such way, or a target that is the source class.
    """
    ways = {"pairwise": pairwise_step, "closed form": swapped_step, "L-BFGS": searched_step}
    if points not in ways:
        raise ValueError(f"no way {points!r} to the mirror image; choose one of: {', '.join(POINTS)}")
    return ways[points](z, weight, bias, source, target)


def mirror_margin(z: Tensor, weight: Tensor, bias: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """(n,) D = Wm z + bm with Wm = Wt - Ws, bm = bt - bs: the logit of the target less that of the source, negative on
    the source's side of the mirror.

    Raises:
        ValueError: a target that is the source class; says in which row.
    """
    _other_class(source, target)
    return ((weight[target] - weight[source]) * z).sum(dim=1) + bias[target] - bias[source]


def pairwise_step(z: Tensor, weight: Tensor, bias: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """(n, d) -2 D Wm / |Wm|^2 (Eq. 1): half of it leads onto the boundary of the two classes, all of it to the mirror
    image, where the difference of the two logits is -D.

    Raises:
        ValueError: a target that is the source class, or whose row of W is that of the source class: no step tells the
            two apart.
    """
    margin = mirror_margin(z, weight, bias, source, target)
    normal = weight[target] - weight[source]
    length = normal.square().sum(dim=1)
    if (length == 0).any():
        row = int((length == 0).nonzero()[0])
        raise ValueError(
            f"the head has the same weights for the classes {int(source[row])} and {int(target[row])} of image {row}, "
            "so that no mirror lies between them: choose another target"
        )
    return -2 * (margin / length)[:, None] * normal


def swapped_step(z: Tensor, weight: Tensor, bias: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """(n, d) the shortest step after which the softmax has the two classes' probabilities swapped and all others kept.

    Wc^+ (l_swap - l), Wc = W less the mean of its class rows (METHODS 5). Exact where rank(Wc) = classes - 1; the
    logits then are the swapped ones up to one constant. Else the shortest of the steps that come nearest.

    Raises:
        ValueError: a target that is the source class.
    """
    change = _swap(z, weight, bias, source, target).double()
    # In float64: centred in float32, W keeps a last singular value of rounding errors, which its inverse makes large.
    inverse = torch.linalg.pinv(_centred(weight.double()))
    return (change @ inverse.T).to(z)


def searched_step(
    z: Tensor, weight: Tensor, bias: Tensor, source: Tensor, target: Tensor, *, iterations: int = 500
) -> Tensor:
    """As `swapped_step`, searched by L-BFGS from the pairwise mirror image, as the paper does (its section 7).

    Minimises |Wc step - (l_swap - l)|^2 in float64. Pairwise start and gradients lie in the row space of Wc, and so
    does what is found: the shortest step again.

    Raises:
        ValueError: as `pairwise_step`.
    """
    change = _swap(z, weight, bias, source, target).double()
    centred = _centred(weight.double())
    step = pairwise_step(z, weight, bias, source, target).double().requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [step],
        max_iter=iterations,
        tolerance_grad=1e-12,
        tolerance_change=1e-16,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def distance() -> Tensor:
        optimizer.zero_grad()
        loss = (step @ centred.T - change).square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimizer.step(distance)  # type: ignore[arg-type]
    return step.detach().to(z)


def _swap(z: Tensor, weight: Tensor, bias: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """(n, classes) l_swap - l: D for the source, -D for the target, 0 for all others."""
    margin = mirror_margin(z, weight, bias, source, target)
    signs = functional.one_hot(source, len(weight)) - functional.one_hot(target, len(weight))
    return margin[:, None] * signs.to(margin)


def _centred(weight: Tensor) -> Tensor:
    return weight - weight.mean(dim=0)


def _other_class(source: Tensor, target: Tensor) -> None:
    same = (source == target).nonzero()[:, 0]
    if len(same):
        row = int(same[0])
        raise ValueError(
            f"image {row} is of class {int(source[row])} already, which is the target: there is no mirror between a "
            "class and itself; choose another target, or other images"
        )
