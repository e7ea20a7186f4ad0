"""How large a study has to be for an interval of a wanted width."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

import numpy as np

from cfcore.study.sample_size import TARGETS, Expected, Target, precision_curve, smallest
from services.figures import Figures

NAME = "sample-size"
READERS = (2, 3, 5, 8)
CASES = (10, 15, 20, 30, 40, 60, 80, 100, 150, 200, 300)


def sample_size(
    target: str = "ac1",
    width: float = 0.3,
    expected: Expected | None = None,
    *,
    readers: Sequence[int] = READERS,
    cases: Sequence[int] = CASES,
    simulations: int = 500,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """Simulated studies of every size (`cfcore.study.sample_size`).

    Returns the object of `services.figures`: figures cases_READERS (fewest cases; left out where `cases` does not go
    far enough), `rows` the whole curve, `smallest` a row per number of readers. Raises ValueError naming what is wrong
    with an input.
    """
    if target not in TARGETS:
        raise ValueError(f"Unknown target “{target}”: use {', '.join(TARGETS)}.")
    if not 0 < confidence < 1:
        raise ValueError(f"The confidence is {confidence}: give a share such as 0.95.")
    started = time.perf_counter()
    assumed = expected or Expected()
    rng = np.random.default_rng(seed)
    curve = precision_curve(
        cast(Target, target), assumed, readers, cases, rng, simulations=simulations, level=confidence
    )
    enough = smallest(curve, width).to_dict("records")
    figures = {f"cases_{row['readers']}": float(row["cases"]) for row in enough if row["cases"] is not None}
    settings = asdict(assumed) | {
        "target": target,
        "width": width,
        "confidence": confidence,
        "simulations": simulations,
        "seed": seed,
    }
    result = Figures(NAME, figures, settings, round(time.perf_counter() - started, 2))
    return asdict(result) | {"rows": curve.to_dict("records"), "smallest": enough}
