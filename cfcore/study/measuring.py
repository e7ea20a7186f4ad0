"""Measurements on a radiograph: the cardiothoracic ratio from two lines.

Source: Danzer CS. The cardiothoracic ratio: an index of cardiac enlargement. Am J Med Sci 1919;157:513-521.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Line = tuple[float, float, float, float]
LINES = ("heart", "chest")
SHORTEST = 1.0


def length(line: Sequence[float]) -> float:
    """Pixels from (x1, y1) to (x2, y2)."""
    x1, y1, x2, y2 = line
    return math.hypot(x2 - x1, y2 - y1)


def cardiothoracic_ratio(heart: Sequence[float], chest: Sequence[float]) -> float:
    """Greatest transverse width of the heart over the greatest inner width of the chest, both in pixels.

    Raises ValueError for a chest line shorter than a pixel.
    """
    if length(chest) < SHORTEST:
        raise ValueError("the chest line is shorter than a pixel")
    return length(heart) / length(chest)


def checked_measures(measures: Any, width: int, height: int) -> dict[str, dict[str, Any]]:
    """Measurements as {side: {"heart": line, "chest": line, "ratio": float}}, lines as [x1, y1, x2, y2] in pixels from
    the upper left corner, rounded to a tenth; "ratio" (three digits) only where both lines are there.

    Raises ValueError for another shape, a line outside the image or one shorter than a pixel.
    """
    if not isinstance(measures, Mapping):
        raise ValueError("measurements must be an object by side")
    clean: dict[str, dict[str, Any]] = {}
    for side, lines in measures.items():
        if side not in ("A", "B") or not isinstance(lines, Mapping):
            raise ValueError(f"“{side}” is no side with lines: use A or B")
        found: dict[str, Any] = {}
        for name, line in lines.items():
            if name == "ratio":
                continue  # Always computed from the lines.
            if name not in LINES:
                raise ValueError(f"“{name}” is no line: use {' or '.join(LINES)}")
            found[name] = _line(name, line, width, height)
        if set(LINES) <= set(found):
            found["ratio"] = round(cardiothoracic_ratio(found["heart"], found["chest"]), 3)
        if found:
            clean[side] = found
    return clean


def _line(name: str, line: Any, width: int, height: int) -> list[float]:
    numbers = isinstance(line, Sequence) and not isinstance(line, str) and len(line) == 4
    if not numbers or any(isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v) for v in line):
        raise ValueError(f"the {name} line must be four numbers x1, y1, x2, y2")
    x1, y1, x2, y2 = (round(float(v), 1) for v in line)
    if min(x1, x2, y1, y2) < 0 or max(x1, x2) > width or max(y1, y2) > height:
        raise ValueError(f"the {name} line leaves the image of {width} x {height} pixels")
    if length((x1, y1, x2, y2)) < SHORTEST:
        raise ValueError(f"the {name} line is shorter than a pixel")
    return [x1, y1, x2, y2]
