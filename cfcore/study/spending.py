"""Planned looks at a running study: how much of alpha each may spend (O'Brien-Fleming form of Lan and DeMets)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import norm

from cfcore.study.resampling import Array

# Standard deviations of the grid on which the process between looks is integrated, and its points (odd: Simpson).
_REACH, _POINTS = 8.0, 601


def _fractions(looks: int | Sequence[float]) -> Array:
    if isinstance(looks, int):
        if looks < 1:
            raise ValueError(f"{looks} looks: plan 1 or more.")
        return np.arange(1, looks + 1) / looks
    t = np.asarray(looks, dtype=float)
    if len(t) == 0 or t[0] <= 0 or t[-1] > 1 + 1e-12 or (np.diff(t) <= 0).any():
        raise ValueError(f"Looks at {list(looks)}: give rising shares of the readings, above 0 and at most 1.")
    return t


def alpha_spent(information: Array | float, alpha: float = 0.05) -> Array:
    """Two-sided alpha that may be spent up to a share of the information in (0, 1].

    2 (2 - 2 Phi(z_{1 - alpha/4} / sqrt(t))): the O'Brien-Fleming-like function of Lan and DeMets 1983, half of alpha
    on each side.
    """
    t = np.asarray(information, dtype=float)
    return np.asarray(4 * norm.sf(norm.isf(alpha / 4) / np.sqrt(t)))


def _simpson(points: Array) -> Array:
    weights = np.ones(len(points))
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return weights * (points[1] - points[0]) / 3


def _crossing(density: Array, points: Array, weights: Array, bound: float, step: float) -> float:
    """Chance to leave (-bound, bound) at the next look, `step` of information later."""
    sd = np.sqrt(step)
    out = norm.sf((bound - points) / sd) + norm.sf((bound + points) / sd)
    return float(np.sum(weights * density * out))


def obrien_fleming(looks: int | Sequence[float], *, alpha: float = 0.05) -> pd.DataFrame:
    """One row per planned look: look, information, alpha_spent (so far), alpha_now, z, p (two-sided, to beat).

    looks: their number (equally spaced), or rising shares of the planned readings; a look at other shares than
    planned is allowed for as long as the shares that were used are given. z: |Z| at which the study may stop, found
    by integrating the Brownian process between the bounds (Armitage, McPherson and Rowe 1969). Where the spending
    function leaves less than 1e-15 for a look nothing can stop the study then: z and p are None. Raises ValueError for
    looks that do not rise within (0, 1] or an alpha outside (0, 1).
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}: expected between 0 and 1.")
    t = _fractions(looks)
    spent = alpha_spent(t, alpha)
    now = np.diff(spent, prepend=0.0)
    points, density = np.zeros(1), np.ones(1)
    weights, before = np.ones(1), 0.0
    rows = []
    for k, (information, allowed) in enumerate(zip(t, now, strict=True), 1):
        step, reach = information - before, _REACH * np.sqrt(information)
        bound, z = reach, None
        if allowed >= 1e-15:

            def surplus(b: float, step: float = step, allowed: float = allowed) -> float:
                return _crossing(density, points, weights, b, step) - allowed  # noqa: B023

            bound = float(brentq(surplus, 0.0, 1.5 * reach, xtol=1e-10))
            z = bound / float(np.sqrt(information))
        rows.append((k, float(information), float(spent[k - 1]), float(allowed), z, z and float(2 * norm.sf(z))))
        bound = min(bound, reach)
        new = np.linspace(-bound, bound, _POINTS)
        kernel = norm.pdf((new[:, None] - points[None, :]) / np.sqrt(step)) / np.sqrt(step)
        density = kernel @ (weights * density)
        points, weights, before = new, _simpson(new), float(information)
    return pd.DataFrame(rows, columns=["look", "information", "alpha_spent", "alpha_now", "z", "p"])
