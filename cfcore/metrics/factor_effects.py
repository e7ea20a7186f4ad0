"""Which true factor a direction moves: mean change, rank correlation with the degree, leakage into the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from cfcore.study.estimate import Estimate, undefined
from cfcore.study.intervals import wilson

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FactorEffect:
    """What moving along one direction does to one factor.

    Attributes:
        factor: its name. change: mean over images of (value at the last degree - value at degree 0), in the factor's
            own unit, with a normal interval. standardised: that mean over the factor's spread in the population.
        correlation: mean over images of Spearman's rank correlation between degree and factor within the image, in
            [-1, 1]; an image whose factor never changes counts 0. None without a measurable image.
    """

    factor: str
    change: Estimate
    standardised: float | None
    correlation: float | None


@dataclass(frozen=True)
class DirectionEffect:
    """All factors under one direction.

    Attributes:
        effects: one a factor, as given. main: the factor of largest |standardised change|, None where nothing could be
            measured. leakage: share of the summed |standardised change| that lies outside `main`, in [0, 1].
        measurable: images whose picture could be measured at every degree; n: of so many.
    """

    effects: tuple[FactorEffect, ...]
    main: str | None
    leakage: float | None
    measurable: int
    n: int

    def of(self, factor: str) -> FactorEffect:
        """The effect on one factor. Raises ValueError that lists the known ones."""
        for effect in self.effects:
            if effect.factor == factor:
                return effect
        raise ValueError(f"no factor {factor!r}; measured are {', '.join(e.factor for e in self.effects)}")


def rank_correlation(degrees: Array, values: Array) -> float:
    """Spearman's correlation of (k,) degrees and (k,) values, ties by mean ranks; 0 where either is constant."""
    x, y = rankdata(degrees), rankdata(values)
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale else 0.0


def mean_interval(values: Array, level_z: float = 1.959964) -> Estimate:
    """Mean with the normal interval of its standard error; no interval for one value."""
    values = np.asarray(values, dtype=float)
    if len(values) == 0:
        return undefined("nothing measurable")
    mean = float(values.mean())
    if len(values) == 1:
        return Estimate(mean, n=1, note="one image: no interval")
    se = float(values.std(ddof=1) / np.sqrt(len(values)))
    return Estimate(mean, mean - level_z * se, mean + level_z * se, se, len(values))


def direction_effect(
    degrees: Sequence[float], values: Mapping[str, Array], spread: Mapping[str, float]
) -> DirectionEffect:
    """The effect of one direction on every factor.

    Args:
        degrees: (k,) rising, the first 0. values: factor -> (k, n) measured at each degree on each image; nan where
            the picture cannot be measured, which leaves the image out. spread: factor -> standard deviation in the
            population, > 0: what makes factors of different units comparable.

    Raises:
        ValueError: degrees that do not start at 0 or do not rise, arrays of another shape, or a factor without spread.
    """
    grid = np.asarray(degrees, dtype=float)
    if len(grid) < 2 or grid[0] != 0 or (np.diff(grid) <= 0).any():
        raise ValueError(f"degrees must start at 0 and rise, got {list(degrees)}")
    if missing := [name for name in values if not spread.get(name, 0.0) > 0]:
        raise ValueError(f"no spread is given for {', '.join(missing)}")
    table = {name: np.asarray(rows, dtype=float) for name, rows in values.items()}
    if wrong := [name for name, rows in table.items() if rows.ndim != 2 or len(rows) != len(grid)]:
        raise ValueError(f"{wrong[0]} must be (degrees, images) with {len(grid)} degrees, got {table[wrong[0]].shape}")
    whole: npt.NDArray[np.bool_] = ~np.isnan(np.concatenate(list(table.values()))).any(axis=0)
    effects = []
    for name, rows in table.items():
        seen = rows[:, whole]
        change = mean_interval(seen[-1] - seen[0])
        ranks = [rank_correlation(grid, column) for column in seen.T]
        standard = None if change.value is None else change.value / spread[name]
        effects.append(FactorEffect(name, change, standard, float(np.mean(ranks)) if ranks else None))
    sizes = {e.factor: abs(e.standardised) for e in effects if e.standardised is not None}
    total = sum(sizes.values())
    main = max(sizes, key=sizes.__getitem__) if total > 0 else None
    leakage = 1 - sizes[main] / total if main else None
    return DirectionEffect(tuple(effects), main, leakage, int(whole.sum()), len(whole))


@dataclass(frozen=True)
class Revealed:
    """Whether a direction makes something (a device) appear.

    Attributes:
        appears: share of the images without it at degree 0 that have it at the last degree, Wilson's interval.
        correlation: as in `FactorEffect`. yes: the rule below.
    """

    appears: Estimate
    correlation: float | None
    yes: bool


def reveals(
    degrees: Sequence[float], scores: Array, *, limit: float = 0.5, share: float = 0.2, correlation: float = 0.5
) -> Revealed:
    """Does a direction reveal it? Yes where it appears in at least `share` of the images without it, and the score
    rises with the degree (mean rank correlation at least `correlation`).

    scores: (k, n) in [0, 1], there at `limit` and above; nan where not measurable.
    """
    grid, table = np.asarray(degrees, dtype=float), np.asarray(scores, dtype=float)
    seen = table[:, ~np.isnan(table).any(axis=0)]
    without = seen[:, seen[0] < limit]
    appears = wilson(int((without[-1] >= limit).sum()), without.shape[1])
    ranks = [rank_correlation(grid, column) for column in without.T]
    mean = float(np.mean(ranks)) if ranks else None
    yes = appears.value is not None and appears.value >= share and mean is not None and mean >= correlation
    return Revealed(appears, mean, bool(yes))


@dataclass(frozen=True)
class EffectOf:
    """What one direction does to the phantom's factors.

    Attributes:
        direction: its name. rank: from 1, in the order given. effect: by factor (`cfcore.metrics.phantom_factors`).
        pacemaker: whether it makes one appear.
    """

    direction: str
    rank: int
    effect: DirectionEffect
    pacemaker: Revealed


def as_stored(found: EffectOf) -> dict[str, Any]:
    """Plain values for JSON; `from_stored` reads them back."""
    return asdict(found)


def from_stored(stored: Mapping[str, Any]) -> EffectOf:
    """The inverse of `as_stored`. Raises KeyError or TypeError for anything else."""
    effect, device = stored["effect"], stored["pacemaker"]
    factors = tuple(FactorEffect(**one | {"change": Estimate(**one["change"])}) for one in effect["effects"])
    return EffectOf(
        stored["direction"],
        stored["rank"],
        DirectionEffect(**effect | {"effects": factors}),
        Revealed(**device | {"appears": Estimate(**device["appears"])}),
    )
