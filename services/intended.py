"""What an engine that goes one way means an image to become, beside what the classifier then says of the picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cfcore.mirror.names import kfe_name

if TYPE_CHECKING:
    from cfcore.engines.base import Engine
    from services.paths import Scene

DIGITS = 6  # decimals of k: of a wanted probability it comes by bisection, and 0.4999999 is no other point than 0.5


@dataclass(frozen=True)
class IntendedCurve:
    """Points along a slider, before anything is drawn.

    Attributes:
        degrees: those of the slider, rising. k: in [0, 1], how far along the way each lies. names: of those points,
            "SFE", "CFE" or "Reflection". probability: intended for the target at each.
        low, high: the least and the greatest probability of the target that the image can be given.
        already: the classifier calls the image the target, so that it stays as it is at every degree.
    """

    degrees: list[float]
    k: list[float]
    names: list[str]
    probability: list[float]
    low: float
    high: float
    already: bool


def goes_one_way(engine: Engine) -> bool:
    """Whether the engine's directions are measures of one way, so that no two of them can be mixed."""
    from cfcore.engines.one_way import OneWay

    return isinstance(engine, OneWay)


def wants_probability(engine: Engine, direction: str) -> bool:
    """Whether a degree of this direction is the probability of the target that is wanted."""
    from cfcore.engines.mirror.engine import CONFIDENCE

    return goes_one_way(engine) and direction == CONFIDENCE


def refuse_mix(engine: Engine, directions: Iterable[str | None]) -> None:
    """Raises ValueError: several directions of an engine whose directions are measures of one way."""
    names = sorted({str(name) for name in directions if name is not None})
    if len(names) > 1 and goes_one_way(engine):
        raise ValueError(
            f"{' and '.join(names)} say in two ways how far to go, so they cannot be mixed: move the image by "
            "one of them"
        )


def intended_along(scene: Scene, direction: str | None, at: float | None = None) -> IntendedCurve:
    """At every degree of the slider, and at the degree `at` beside them.

    Raises:
        ValueError: the engine has no such direction, or does not know what it intends; a degree out of range.
    """
    import torch

    from cfcore.engines.one_way import OneWay

    engine, target = scene.opened.engine, scene.opened.target
    if not isinstance(engine, OneWay):
        raise ValueError(f"{engine.title} does not say beforehand what the classifier is to see in a picture")
    low, high = engine.degree_range
    if at is not None and not low <= at <= high:
        raise ValueError(f"degree {at:g} is outside {low:g} to {high:g}")
    degrees = sorted({*scene.degrees, *(() if at is None else (at,))})
    found = engine.intended(
        scene.small.expand(len(degrees), *scene.small.shape[1:]), target, direction or "", torch.tensor(degrees)
    )
    k = [round(point, DIGITS) for point in found.k.tolist()]
    return IntendedCurve(
        degrees,
        k,
        [kfe_name(point) for point in k],
        found.probability.tolist(),
        float(found.low[0]),
        float(found.high[0]),
        bool(found.already[0]),
    )
