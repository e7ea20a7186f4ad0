"""Several comparisons at once: Holm for the confirmatory family, Benjamini-Hochberg for exploratory ones."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from cfcore.study.resampling import Array

Family = Literal["confirmatory", "exploratory"]


def _known(p: Sequence[float | None], adjust: Callable[[Array], Array]) -> list[float | None]:
    """Adjust the p values that exist; None stays None and is no member of the family."""
    known = [i for i, x in enumerate(p) if x is not None and not np.isnan(x)]
    values = np.array([p[i] for i in known], dtype=float)
    if ((values < 0) | (values > 1)).any():
        raise ValueError("A p value lies outside 0 to 1: give probabilities, None where there is no test.")
    out: list[float | None] = [None] * len(p)
    for i, x in zip(known, adjust(values), strict=True):
        out[i] = float(x)
    return out


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Step-down adjusted p values in the order given: the family-wise error rate holds under any dependence.

    max over j <= i of min(1, (m - j + 1) p_(j)) for the i-th smallest of m (Holm 1979). None where there was no
    test. Raises ValueError for a value outside [0, 1].
    """

    def adjust(values: Array) -> Array:
        order = np.argsort(values, kind="stable")
        steps = (len(values) - np.arange(len(values))) * values[order]
        out = np.empty(len(values))
        out[order] = np.minimum(np.maximum.accumulate(steps), 1)
        return out

    return _known(p, adjust)


def benjamini_hochberg(p: Sequence[float | None]) -> list[float | None]:
    """Step-up adjusted p values in the order given: below q, an expected share q of them at most is false.

    min over j >= i of min(1, m p_(j) / j) (Benjamini and Hochberg 1995); for independent or positively dependent
    tests. None where there was no test. Raises ValueError for a value outside [0, 1].
    """

    def adjust(values: Array) -> Array:
        order = np.argsort(values, kind="stable")[::-1]
        m = len(values)
        steps = m * values[order] / np.arange(m, 0, -1)
        out = np.empty(m)
        out[order] = np.minimum(np.minimum.accumulate(steps), 1)
        return out

    return _known(p, adjust)


def adjusted(p: Sequence[float | None], family: Family) -> tuple[list[float | None], str]:
    """Adjusted p values and the name of the procedure that the family calls for.

    Raises ValueError for another family than "confirmatory" or "exploratory".
    """
    if family == "confirmatory":
        return holm(p), "Holm"
    if family == "exploratory":
        return benjamini_hochberg(p), "Benjamini-Hochberg"
    raise ValueError(f"Unknown family “{family}”: use confirmatory or exploratory.")
