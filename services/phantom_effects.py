"""Which true factor each direction moves, measured on phantoms: the only images whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cfcore.engines.base import Progress, silent
from cfcore.metrics.factor_effects import EffectOf
from cfcore.wording import direction_name

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from cfcore.engines.base import Engine
    from cfcore.rendering import Rendering

STEPS = 5
CHUNK = 16


def effects_of(
    engine: Engine,
    images: Sequence[Tensor],
    target: int,
    directions: Sequence[str],
    degree: float,
    rendering: Rendering = "detail transfer",
    steps: int = STEPS,
) -> list[EffectOf]:
    """`effect_along` for each direction, ranked in the order given."""
    return [
        effect_along(engine, images, target, name, rank, degree, rendering, steps)
        for rank, name in enumerate(directions, start=1)
    ]


def effect_along(
    engine: Engine,
    images: Sequence[Tensor],
    target: int,
    direction: str | None,
    rank: int,
    degree: float,
    rendering: Rendering = "detail transfer",
    steps: int = STEPS,
    progress: Progress = silent,
) -> EffectOf:
    """Move every image along a direction in `steps` equal degrees from 0 to `degree` and measure what is shown.

    `direction`: None for a method that has one way alone. `images`: batches of (n, 1, s, s) in [0, 1], each of one size
    of 64 px or more.
    """
    import numpy as np
    import torch

    from cfcore.metrics.factor_effects import direction_effect, reveals
    from cfcore.metrics.phantom_factors import FACTORS, SPREAD, measured_factors

    degrees = torch.linspace(0, degree, steps)
    rows: list[list[dict[str, np.ndarray]]] = [[] for _ in range(steps)]
    chunks = [chunk for batch in images for chunk in batch.split(CHUNK)]
    for i, chunk in enumerate(chunks):
        frames = engine.path(chunk, target, degrees, direction=direction, rendering=rendering)
        for step, (_, shown, _) in enumerate(frames):
            progress(
                (i + step / steps) / len(chunks), f"moving images along {direction_name(direction or engine.title)}"
            )
            rows[step].append(measured_factors(shown[:, 0].cpu().numpy()))
    values = {f: np.stack([np.concatenate([part[f] for part in row]) for row in rows]) for f in FACTORS}
    effect = direction_effect(degrees.tolist(), values, SPREAD)
    return EffectOf(direction or engine.title, rank, effect, reveals(degrees.tolist(), values["device"]))
