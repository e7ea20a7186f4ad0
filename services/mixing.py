"""Several directions at once: what each does to the probability, and the least change that flips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from services.paths import COARSE, Frame, Moves, Scene, change_at, frames_at, moves_of

FINE = 8  # degrees tried within one step of the slider


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


def effects(scene: Scene, moves: Moves) -> Effects:
    """What each move does to the probability, in one batch. Raises ValueError for a direction that is not known."""
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
    before it; then eighths of a step. No bisection: the probability need not rise steadily. The degree is one whose
    picture was judged and flipped; it is too high by at most an eighth of a step, as long as no flip hides between
    two coarse degrees.
    """
    grid = scene.degrees
    step = grid[1] - grid[0]
    for direction in directions:
        others = tuple(pair for pair in held if pair[0] != direction)
        coarse = sorted({0.0, *(d for d in grid[::COARSE] if d)}, key=abs)
        degree = _first_flip(scene, direction, others, coarse)
        for spacing in (step, step / FINE):
            if degree:
                count = COARSE if spacing == step else FINE
                inner = [degree - np.sign(degree) * spacing * i for i in range(count - 1, 0, -1)]
                nearer = _first_flip(scene, direction, others, [round(float(d), 6) for d in inner])
                degree = degree if nearer is None else nearer
        if degree is None:
            yield LeastChange(direction, None, None, None)
            continue
        frame = next(frames_at(scene, [moves_of((direction, degree), *others)]))[0][1]
        size = float(np.abs(change_at(scene, frame)).mean())
        yield LeastChange(direction, degree, frame.probability, size)


def _first_flip(scene: Scene, direction: str | None, others: Moves, degrees: Sequence[float]) -> float | None:
    """The first of `degrees` whose picture flips; None where none does."""
    wanted = [moves_of((direction, degree), *others) for degree in degrees]
    tried = iter(degrees)
    for batch in frames_at(scene, wanted):
        for (_, frame), degree in zip(batch, tried, strict=False):
            if frame.flipped:
                return degree
    return None
