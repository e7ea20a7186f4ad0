"""Several directions at once: what each does to the probability, and the least change that flips."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.intended import refuse_mix
from services.paths import COARSE, Frame, Moves, Scene, change_at, frames_at, moves_of

if TYPE_CHECKING:
    from cfcore.engines.boundary import Says

DIGITS = 4  # decimals of a degree, on the wire and in a browser: what is judged is what is named


@dataclass(frozen=True)
class Effects:
    """Probability of the target class of a mix, of each of its moves `alone`, and of the mix `without` it."""

    probability: float
    flipped: bool
    alone: dict[str, float]
    without: dict[str, float]


@dataclass(frozen=True)
class LeastChange:
    """The least degree (nearest to 0, either sign) at which a direction flips the picture, None where none does.

    Attributes:
        probability: of the target class there. mean_change: mean absolute change of the picture's gray values there.
    """

    direction: str | None
    degree: float | None
    probability: float | None
    mean_change: float | None


@dataclass(frozen=True)
class CurveBoundary:
    """Where the class changes on a curve, nearest to degree 0; None where it does not.

    Attributes:
        back: the picture at degree 0 is the target already, so that it changes back.
    """

    degree: float | None
    back: bool


def effects(scene: Scene, moves: Moves) -> Effects:
    """What each move does to the probability, in one batch.

    Raises ValueError: a direction that is not known; several of an engine that goes one way.
    """
    refuse_mix(scene.opened.engine, (name for name, _ in moves))
    alone = [moves_of(pair) for pair in moves]
    without = [moves_of(*(other for other in moves if other != pair)) for pair in moves]
    wanted = list(dict.fromkeys([moves, *alone, *without]))
    found: dict[Moves, Frame] = {key: frame for batch in frames_at(scene, wanted) for key, frame in batch}
    names = [str(name) for name, _ in moves]
    return Effects(
        found[moves].probability,
        found[moves].flipped,
        {name: found[key].probability for name, key in zip(names, alone, strict=True)},
        {name: found[key].probability for name, key in zip(names, without, strict=True)},
    )


def least_changes(scene: Scene, directions: Sequence[str | None], held: Moves) -> Iterator[LeastChange]:
    """For one direction after the other the least degree that flips, the other directions of `held` staying.

    Every fourth degree of the slider, nearest to 0 first; then the degrees between the first that flips and the one
    before it; then that step is halved, to TOLERANCE of the way to the range's end. The degree is one whose picture was
    judged and flipped; it is too high by no more than that, as long as no flip hides between two coarse degrees.

    Raises ValueError: `held` moves another direction of an engine that goes one way.
    """
    import torch

    from cfcore.engines.boundary import TOLERANCE, halved

    for direction in directions:
        refuse_mix(scene.opened.engine, (direction, *(name for name, _ in held)))
    grid = scene.degrees
    step = grid[1] - grid[0]
    for direction in directions:
        others = tuple(pair for pair in held if pair[0] != direction)
        coarse = sorted({0.0, *(d for d in grid[::COARSE] if d)}, key=abs)
        degree = _first_flip(scene, direction, others, coarse)
        if degree:
            outwards = math.copysign(step, degree)
            inner = [degree - outwards * i for i in range(COARSE - 1, 0, -1)]
            nearer = _first_flip(scene, direction, others, [round(d, 6) for d in inner])
            degree = degree if nearer is None else nearer
            end = torch.tensor([grid[-1] if degree > 0 else grid[0]])
            bracket = torch.tensor([degree - outwards]), torch.tensor([degree])
            says, unflipped = _says(scene, direction, others), torch.tensor([False])
            degree = round(halved(says, *bracket, unflipped, TOLERANCE * end.abs()).item(), DIGITS)
        if degree is None:
            yield LeastChange(direction, None, None, None)
            continue
        frame = next(frames_at(scene, [moves_of((direction, degree), *others)]))[0][1]
        size = float(np.abs(change_at(scene, frame)).mean())
        yield LeastChange(direction, degree, frame.probability, size)


def boundary_along(scene: Scene, direction: str | None, held: Moves) -> CurveBoundary:
    """Where the class first changes from degree 0 outwards along one direction, the other moves of `held` staying: the
    nearest bracket of the slider's curve, halved to TOLERANCE of the way to the range's end
    (`cfcore.engines.boundary`). The degree is one whose picture was judged.

    Raises ValueError: `held` moves another direction of an engine that goes one way.
    """
    import torch

    from cfcore.engines.boundary import first_change

    refuse_mix(scene.opened.engine, (direction, *(name for name, _ in held)))
    says = _says(scene, direction, held)
    curves = []
    for sign in (1, -1):
        degrees = [0.0, *sorted((d for d in scene.degrees if sign * d > 0), key=abs)]
        hits = says(torch.zeros(len(degrees), dtype=torch.long), torch.tensor(degrees, dtype=torch.float64)).tolist()
        changed = next((abs(degree) for degree, hit in zip(degrees, hits, strict=True) if hit != hits[0]), math.inf)
        curves.append((changed, degrees, hits))
    nearest = min(changed for changed, *_ in curves)
    found = [
        first_change(says, torch.tensor([degrees], dtype=torch.float64), torch.tensor([hits])).degree.item()
        for changed, degrees, hits in curves
        if changed == nearest < math.inf
    ]
    degree = min(found, key=abs, default=None)
    return CurveBoundary(None if degree is None else round(degree, DIGITS), curves[0][2][0])


def _says(scene: Scene, direction: str | None, others: Moves) -> Says:
    """What the classifier says at degrees of one direction, to as many decimals as they are named by."""
    import torch
    from torch import Tensor

    def says(_: Tensor, degrees: Tensor) -> Tensor:
        wanted = [moves_of((direction, round(degree, DIGITS)), *others) for degree in degrees.tolist()]
        frames = [frame for batch in frames_at(scene, wanted) for _, frame in batch]
        return torch.tensor([frame.flipped for frame in frames], dtype=torch.bool)

    return says


def _first_flip(scene: Scene, direction: str | None, others: Moves, degrees: Sequence[float]) -> float | None:
    """The first of `degrees` whose picture flips; None where none does."""
    wanted = [moves_of((direction, degree), *others) for degree in degrees]
    tried = iter(degrees)
    for batch in frames_at(scene, wanted):
        for (_, frame), degree in zip(batch, tried, strict=False):
            if frame.flipped:
                return degree
    return None
