"""Factorial studies: one arm for every combination of directions, degrees and renderings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from cfcore.rendering import Rendering
from cfcore.study.protocol import Arm


def crossed(
    directions: Sequence[tuple[str | None, str]],
    degrees: Sequence[float | None] = (None,),
    renderings: Sequence[Rendering | None] = (None,),
    *,
    run: int | None = None,
    target: str | None = None,
) -> tuple[Arm, ...]:
    """The arms of directions x degrees x renderings, of one run.

    directions: (name in the run, or None for a method without directions; what researchers read). None as degree or
    rendering: the study's own. Raises ValueError for a combination that is listed twice.

    Example: crossed([("v1 +", "v1 +"), ("v2 −", "v2 −")], [5, 10]) gives v1+@5, v1+@10, v2−@5 and v2−@10.
    """
    arms = []
    for (direction, name), degree, rendering in itertools.product(directions, degrees, renderings):
        parts = [name]
        parts += [f"degree {degree:g}"] if degree is not None else []
        parts += [rendering] if rendering is not None else []
        parts += [f"run {run}"] if run is not None else []
        key = name.replace(" ", "")
        key += f"@{degree:g}" if degree is not None else ""
        key += f"/{rendering.split()[0]}" if rendering is not None else ""
        key += f"#{run}" if run is not None else ""
        arms.append(Arm(key, ", ".join(parts), run, direction, degree, rendering, target))
    keys = [arm.key for arm in arms]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise ValueError(
            f"The crossing holds {', '.join(twice)} twice: list each direction, degree and rendering once."
        )
    return tuple(arms)
