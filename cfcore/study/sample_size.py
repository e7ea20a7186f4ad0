"""How many readers and cases a study needs: how wide its intervals turn out when simulated readers read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from cfcore.study.intervals import clopper_pearson, wilson
from cfcore.study.resampling import Array

Target = Literal["ac1", "kappa", "difference"]
TARGETS: dict[Target, str] = {
    "ac1": "Gwet's AC1",
    "kappa": "Fleiss' kappa (for two readers Scott's pi)",
    "difference": "prevalence in counterfactuals - prevalence in originals",
}
# Studies out of a hundred whose interval must be narrow enough: a median would leave half of them too wide.
ASSURED = 0.8
CURVE = ("readers", "cases", "readings", "value", "width", "width_80", "defined")


@dataclass(frozen=True)
class Expected:
    """What the researcher expects of one finding, all in [0, 1].

    prevalence: share of counterfactuals (for the coefficients: of cases) in which the finding is there. original: the
    same in the originals, for the difference. sensitivity, specificity: of every reader. shared: chance that a
    judgement rests on what all readers see rather than on the reader's own luck (as of `SimulatedReader`).
    """

    prevalence: float = 0.3
    original: float = 0.1
    sensitivity: float = 0.85
    specificity: float = 0.95
    shared: float = 0.0

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}: expected 0 to 1.")


def _judged(
    prevalence: float, expected: Expected, shape: tuple[int, int, int], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """(studies, cases, readers) ticks in images of which a share `prevalence` has the finding."""
    studies, cases, _ = shape
    present = rng.random((studies, cases, 1)) < prevalence
    common = rng.random((studies, cases, 1))
    luck = np.where(rng.random(shape) < expected.shared, common, rng.random(shape))
    return np.asarray(luck < np.where(present, expected.sensitivity, 1 - expected.specificity))


def _coefficient(ticks: NDArray[np.bool_], target: Target, level: float) -> tuple[Array, Array]:
    """(studies,) coefficient and width of its closed-form interval; nan and infinite where it has none."""
    _, n, r = ticks.shape
    s = ticks.mean(axis=2)
    k = ticks.sum(axis=2)
    agree = (k * (k - 1) + (r - k) * (r - k - 1)) / (r * (r - 1))
    pa, pi = agree.mean(axis=1), s.mean(axis=1)[:, None]
    same = target == "kappa"
    chance = s * pi + (1 - s) * (1 - pi) if same else s * (1 - pi) + (1 - s) * pi
    pe = (pi**2 + (1 - pi) ** 2 if same else 2 * pi * (1 - pi))[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(pe < 1 - 1e-9, (pa - pe) / (1 - pe), np.nan)
        x = (agree - pe[:, None]) / (1 - pe)[:, None]
        x = x - 2 * (1 - value)[:, None] * (chance - pe[:, None]) / (1 - pe)[:, None]
        se = np.sqrt(np.sum((x - value[:, None]) ** 2, axis=1) / (n * n if r == 2 else n * (n - 1)))
        half = stdtrit(n - 1, (1 + level) / 2) * se
        width = np.minimum(value + half, 1) - np.maximum(value - half, -1)
        exact = 1 - np.maximum(((clopper_pearson(n, n, level).low or 0.0) - pe) / (1 - pe), -1)
    width = np.where(pa > 1 - 1e-9, exact, width)
    return value, np.where(np.isfinite(value), width, np.inf)


def _difference(before: NDArray[np.bool_], after: NDArray[np.bool_], level: float) -> tuple[Array, Array]:
    """(studies,) difference of the prevalences, readers pooled, and the width of its t interval over cases."""
    n = before.shape[1]
    change = after.mean(axis=2) - before.mean(axis=2)
    width = 2 * stdtrit(n - 1, (1 + level) / 2) * change.std(axis=1, ddof=1) / np.sqrt(n)
    unchanged = 2 * (wilson(0, n, level).high or 1.0)
    return change.mean(axis=1), np.where(width < 1e-12, unchanged, width)


def precision_curve(
    target: Target,
    expected: Expected,
    readers: Sequence[int],
    cases: Sequence[int],
    rng: np.random.Generator,
    *,
    simulations: int = 500,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per number of readers and of cases (patients): what simulated studies of that size report.

    target: a key of `TARGETS`. Columns (`CURVE`): readers, cases, readings (their product), value (mean of the
    estimates), width (median of the interval, upper - lower), width_80 (not exceeded by 80 % of the studies), defined
    (share of studies with an interval). Intervals are the closed forms of docs/statistics.md, t over cases for the
    difference, which the bootstrap of a real study comes close to; a study without an interval counts as infinitely
    wide, and a width that is not finite is None. Raises ValueError for an unknown target, fewer than two readers (one
    for the difference) or fewer than two cases, or no simulations.
    """
    if target not in get_args(Target):
        raise ValueError(f"Unknown target “{target}”: use {', '.join(TARGETS)}.")
    least = 1 if target == "difference" else 2
    if not readers or min(readers) < least:
        raise ValueError(f"{min(readers, default=0)} readers: {TARGETS[target]} needs {least} or more.")
    if not cases or min(cases) < 2:
        raise ValueError(f"{min(cases, default=0)} cases: an interval needs two or more.")
    if simulations < 1:
        raise ValueError(f"{simulations} simulations: run one or more, 500 for steady figures.")
    rows = []
    for r in readers:
        for n in cases:
            shape = (simulations, n, r)
            after = _judged(expected.prevalence, expected, shape, rng)
            if target == "difference":
                value, width = _difference(_judged(expected.original, expected, shape, rng), after, level)
            else:
                value, width = _coefficient(after, target, level)
            known = np.isfinite(width)
            middle, assured = np.quantile(width, [0.5, ASSURED], method="inverted_cdf")
            rows.append(
                {
                    "readers": r,
                    "cases": n,
                    "readings": r * n,
                    "value": float(np.mean(value[known])) if known.any() else None,
                    "width": float(middle) if np.isfinite(middle) else None,
                    "width_80": float(assured) if np.isfinite(assured) else None,
                    "defined": float(known.mean()),
                }
            )
    frame = pd.DataFrame(rows, columns=list(CURVE)).astype({"value": object, "width": object, "width_80": object})
    return frame.where(frame.notna(), None)


def smallest(curve: pd.DataFrame, width: float) -> pd.DataFrame:
    """One row per number of readers in `curve`: readers, cases, readings.

    cases: the fewest from which on 80 % of the studies have an interval of at most `width`; None (and no readings)
    where the curve does not go far enough. Raises ValueError for a width that is not above 0.
    """
    if not width > 0:
        raise ValueError(f"A width of {width}: give the wanted upper - lower limit, above 0.")
    rows = []
    for readers in dict.fromkeys(curve["readers"].tolist()):
        part = curve[curve["readers"] == readers].sort_values("cases")
        wide = np.array([x is None or x > width for x in part["width_80"]])
        enough = part["cases"].to_numpy()[np.flatnonzero(wide)[-1] + 1 :] if wide.any() else part["cases"].to_numpy()
        cases = int(enough[0]) if len(enough) else None
        rows.append((int(readers), cases, None if cases is None else cases * int(readers)))
    return pd.DataFrame(rows, columns=["readers", "cases", "readings"], dtype=object)
