"""Distances between pictures as between their features, so that a counterfactual is not an adversarial one."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

LEAST = 1e-8


def triangulation(
    moved: tuple[Tensor, Tensor], origin: tuple[Tensor, Tensor], landmark: tuple[Tensor, Tensor], lam: float
) -> Tensor:
    """(n,) relu(beta d_o / lam - d_l) + relu(d_l - lam beta d_o), beta = |z_k - z_l| / |z_o - z_k| (Eq. 6 to 10).

    d_o and d_l are the mean absolute differences of the drawn picture x_k to origin and landmark. 0 where d_l / d_o
    lies between beta / lam and lam beta.

    Args:
        moved: x_k (n, channels, *size) and z_k (n, d). origin: for k >= 0.5 the source image and its features, below
            the drawn mirror image and the mirror point. landmark: for k >= 0.5 a random image of the target class and
            its features, below one of the source class, the source itself allowed.
        lam: how far the ratio may be off, at least 1 (not at all); the paper tries 1, 1.5, 2 and 4.

    Raises:
        ValueError: `lam` below 1.
    """
    if lam < 1:
        raise ValueError(f"lam is {lam:g}: choose 1 (ratios are kept exactly) or more")
    to_origin, to_landmark = _apart(moved[0], origin[0]), _apart(moved[0], landmark[0])
    beta = (moved[1] - landmark[1]).norm(dim=1) / (origin[1] - moved[1]).norm(dim=1).clamp_min(LEAST)
    return functional.relu(beta * to_origin / lam - to_landmark) + functional.relu(to_landmark - lam * beta * to_origin)


def _apart(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs().flatten(1).mean(dim=1)
