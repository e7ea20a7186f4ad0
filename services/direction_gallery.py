"""One image moved along many directions by the same degree, side by side: in how many ways it can change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.paths import Moves, Scene, block_means, frames_at, moves_of, picture_at
from services.pictures import difference_limit, difference_rgb, gray8, png_url

SHOWN_SIDE = 256
MOST_DIRECTIONS = 64


@dataclass(frozen=True)
class MovedAlong:
    """The image along one direction: PNG data URLs of what is and of its signed difference to what was; the target's
    probability, and whether the classifier calls it the target."""

    direction: str
    after: str
    change: str
    probability: float
    flipped: bool


@dataclass(frozen=True)
class DirectionGallery:
    """`before`: PNG data URL of what is changed, with the target's probability; `already`: the classifier calls it the
    target without a step; `limit`: the difference that has the full colour, the same for all directions."""

    before: str
    p_before: float
    already: bool
    limit: float
    directions: tuple[MovedAlong, ...]


def moved_directions(scene: Scene, directions: Sequence[str], degree: float) -> DirectionGallery:
    """The image along each direction alone, as `services.paths` draws and judges it, shown at 256 px or less by means
    over whole blocks; never through JPEG.

    Raises:
        ValueError: no direction, more than 64, one that the engine does not have, or a degree outside its range.
    """
    low, high = scene.opened.engine.degree_range
    known = {entry.name for entry in scene.opened.directions}
    if not 1 <= len(directions) <= MOST_DIRECTIONS:
        raise ValueError(f"{len(directions)} directions at once: ask for 1 to {MOST_DIRECTIONS}")
    if unknown := [name for name in directions if name not in known]:
        raise ValueError(f"no direction {unknown[0]!r} of this run; there are {', '.join(sorted(known)) or 'none'}")
    if not low <= degree <= high:
        raise ValueError(f"degree {degree:g} is outside {low:g} to {high:g}")
    still: Moves = ()
    wanted = [moves_of((name, degree)) for name in directions]
    frames = dict(pair for batch in frames_at(scene, [still, *wanted]) for pair in batch)
    factor = -(-max(scene.before.shape) // SHOWN_SIDE)
    before = block_means(scene.before, factor)
    shown = [block_means(picture_at(scene, frames[moves]), factor) for moves in wanted]
    # One scale for all of them, or a small change would look as large as a large one.
    limit = max(difference_limit(after - before) for after in shown)
    rows = tuple(
        MovedAlong(
            name,
            png_url(gray8(after)),
            png_url(difference_rgb(after - before, limit)),
            frames[moves].probability,
            frames[moves].flipped,
        )
        for name, moves, after in zip(directions, wanted, shown, strict=True)
    )
    return DirectionGallery(png_url(gray8(before)), frames[still].probability, frames[still].flipped, limit, rows)
