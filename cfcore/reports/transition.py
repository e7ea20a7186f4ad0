"""The transition animation of Mirror-CFE: three panels a frame, as section 10.3 of seed 004 describes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw
from PIL.Image import Image as Picture

from cfcore.mirror.names import kfe_name
from cfcore.mirror.transition import Pictures, Transition
from cfcore.reports.colours import ARM_COLOURS, Colour, from_hex
from cfcore.reports.font import sans

Frame = npt.NDArray[np.uint8]

WIDTH, HEIGHT = 720, 840
SIDE = 320  # of a picture's place
LEFT, RIGHT = 24, WIDTH - 24 - SIDE
TOP = 40
PATH_LEFT, PATH_RIGHT, PATH_TOP, PATH_LINE = 84, 636, 384, 496
PLOT_LEFT, PLOT_RIGHT, PLOT_TOP, PLOT_BOTTOM = 84, 636, 612, 784
HOLD_ENDS, HOLD_FIRST = 10, 10  # frames
SCALE = 2  # drawn so much larger and averaged down: smooth lines

INK, MUTED, GRID = (27, 34, 48), (91, 101, 119), (226, 230, 236)
INTENDED, PREDICTED, CHANGE = (from_hex(ARM_COLOURS[i]) for i in (1, 0, 2))  # orange, blue, green
FAINT = 0.28
LONGEST_LABEL = 22


def frames(way: Transition) -> Iterator[Frame]:
    """(840, 720, 3) uint8 a point of the way, from the source to the reflection; both ends and the 1st CFE are held for
    ten frames."""
    backdrop = _backdrop(way)
    last = len(way.k) - 1
    for i, k in enumerate(way.k):
        shown = frame(way, i, backdrop)
        held = HOLD_ENDS if i in (0, last) else HOLD_FIRST if k == way.first else 1
        yield from [shown] * held


def frame(way: Transition, i: int, backdrop: Picture | None = None) -> Frame:
    """Point i of the way. Top: Source and KFE. Middle: where z_k lies between source and reflection, the "1st CFE
    point", and confidence (S, T), intended in orange, predicted in blue. Bottom: confidence in the target, and
    |xs - xk| in green."""
    large = (backdrop or _backdrop(way)).copy()
    paper = _Paper(large)
    _latent_path(paper, way, i)
    _plot(paper, way, i)
    k = float(way.k[i])
    paper.text((RIGHT, 20), f"{kfe_name(k)} (k = {_told(k)})", 17, INK, "lm")
    picture = large.reduce(SCALE)
    for pixels, left in ((way.image, LEFT), (way.pictures[i], RIGHT)):
        _place(picture, pixels, left)
    return np.asarray(picture)


class _Paper:
    """Drawing in the coordinates of the finished frame."""

    def __init__(self, picture: Picture) -> None:
        self.draw = ImageDraw.Draw(picture)

    def text(self, at: tuple[float, float], text: str, size: int, fill: Colour, anchor: str) -> None:
        """A background of white keeps it apart from the lines it lies on."""
        place = (at[0] * SCALE, at[1] * SCALE)
        font = sans(size * SCALE)
        left, top, right, bottom = self.draw.textbbox(place, text, font=font, anchor=anchor)
        self.draw.rectangle((left - 4, top - 2, right + 4, bottom + 2), fill="white")
        self.draw.text(place, text, fill=fill, font=font, anchor=anchor)

    def line(self, points: Sequence[tuple[float, float]], fill: Colour, width: float = 1) -> None:
        self.draw.line(
            [(x * SCALE, y * SCALE) for x, y in points], fill=fill, width=round(width * SCALE), joint="curve"
        )

    def dashes(self, x: float, top: float, bottom: float, fill: Colour) -> None:
        for y in np.arange(top, bottom, 8):
            self.line([(x, y), (x, min(y + 4, bottom))], fill)

    def mark(self, kind: str, at: tuple[float, float], radius: float, fill: Colour) -> None:
        """A circle, square or diamond, ringed with white."""
        for r, colour in ((radius + 1.5, (255, 255, 255)), (radius, fill)):
            box = [SCALE * value for value in (at[0] - r, at[1] - r, at[0] + r, at[1] + r)]
            if kind == "circle":
                self.draw.ellipse(box, fill=colour)
            elif kind == "square":
                self.draw.rectangle(box, fill=colour)
            else:
                self.draw.polygon(_diamond(at, 1.3 * r), fill=colour)

    def hollow_diamond(self, at: tuple[float, float], radius: float, outline: Colour) -> None:
        self.draw.polygon(_diamond(at, radius), fill="white", outline=outline, width=2 * SCALE)


def _diamond(at: tuple[float, float], r: float) -> list[tuple[float, float]]:
    corners = [(0, -r), (r, 0), (0, r), (-r, 0)]
    return [((at[0] + x) * SCALE, (at[1] + y) * SCALE) for x, y in corners]


def _backdrop(way: Transition) -> Picture:
    """What is the same in every frame."""
    picture = Pillow.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), "white")
    paper = _Paper(picture)
    wrong, true = (" (wrong)", " (ground truth)") if way.case == "error" else ("", "")
    paper.text((LEFT, 20), f"Source ({_short(way.source)})", 17, INK, "lm")
    paper.text((LEFT, PATH_TOP), f"S: {_short(way.source)}{wrong}", 13, MUTED, "lm")
    paper.text((LEFT, PATH_TOP + 20), f"T: {_short(way.target)}{true}", 13, MUTED, "lm")
    paper.line([(_path(0), PATH_LINE), (_path(1), PATH_LINE)], GRID, 6)
    paper.dashes(_path(0.5), PATH_LINE - 28, PATH_LINE + 28, MUTED)
    for k, words in ((0, "source, k = 0"), (0.5, "mirror, k = 0.5"), (1, "reflection, k = 1")):
        paper.text((_path(k), PATH_LINE + 40), words, 13, MUTED, "mm")
    _axes(paper, way)
    return picture


def _latent_path(paper: _Paper, way: Transition, i: int) -> None:
    k = float(way.k[i])
    for top, name, values, colour in (
        (PATH_TOP, "Intended", way.intended[i], INTENDED),
        (PATH_TOP + 20, "Predicted", way.predicted[i], PREDICTED),
    ):
        paper.text((RIGHT, top), name, 15, colour, "lm")
        paper.text((RIGHT + 92, top), f"(S: {values[0]:.2f}, T: {values[1]:.2f})", 15, colour, "lm")
    paper.line([(_path(0), PATH_LINE), (_path(k), PATH_LINE)], INK, 6)
    for end in (0.0, 1.0):
        paper.mark("circle", (_path(end), PATH_LINE), 5, INK if k >= end else MUTED)
    if way.first is None:
        paper.text((_path(0.5), PATH_LINE - 44), "no CFE on this way", 14, MUTED, "mm")
    else:
        reached = k >= way.first
        paper.hollow_diamond((_path(way.first), PATH_LINE), 9, INK if reached else MUTED)
        x = min(max(_path(way.first), LEFT + 100), WIDTH - LEFT - 100)
        paper.text((x, PATH_LINE - 44), f"1st CFE point, k = {_told(way.first)}", 14, INK if reached else MUTED, "mm")
        paper.line([(_path(way.first), PATH_LINE - 32), (_path(way.first), PATH_LINE - 12)], MUTED)
    paper.mark("circle", (_path(k), PATH_LINE), 8, INK)


def _axes(paper: _Paper, way: Transition) -> None:
    top = _change_top(way)
    high, low = PLOT_TOP - 42, PLOT_TOP - 20
    paper.text((LEFT, high), f"Confidence in T, {_short(way.target)}", 13, INK, "lm")
    paper.text((WIDTH - LEFT, high), "Change of the image (right axis)", 13, INK, "rm")
    for x, kind, words, colour in (
        (LEFT + 6, "circle", "intended", INTENDED),
        (LEFT + 100, "square", "predicted", PREDICTED),
        (WIDTH - LEFT - 112, "diamond", "mean |xs − xk|", CHANGE),
    ):
        paper.mark(kind, (x, low), 4.5, colour)
        paper.text((x + 12, low), words, 13, colour, "lm")
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = _level(share)
        paper.line([(PLOT_LEFT, y), (PLOT_RIGHT, y)], GRID)
        paper.text((PLOT_LEFT - 10, y), f"{share:.2f}", 12, MUTED, "rm")
        paper.text((PLOT_RIGHT + 10, y), f"{share * top:.3g}", 12, CHANGE, "lm")
    for k in (0, 0.25, 0.5, 0.75, 1):
        paper.text((_across(k), PLOT_BOTTOM + 16), f"{k:g}", 12, MUTED, "mm")
    paper.text((_across(0.5), PLOT_BOTTOM + 38), "k", 13, MUTED, "mm")
    if way.first is not None:
        paper.dashes(_across(way.first), PLOT_TOP, PLOT_BOTTOM, MUTED)
    for values, colour, _ in _curves(way):
        paper.line(_points(way, values), _pale(colour), 1.5)


def _plot(paper: _Paper, way: Transition, i: int) -> None:
    for values, colour, kind in _curves(way):
        points = _points(way, values)
        if i:
            paper.line(points[: i + 1], colour, 2.5)
        paper.mark(kind, points[i], 4.5, colour)


def _curves(way: Transition) -> tuple[tuple[npt.NDArray[np.float64], Colour, str], ...]:
    return (
        (way.change / _change_top(way), CHANGE, "diamond"),
        (way.intended[:, 1], INTENDED, "circle"),
        (way.predicted[:, 1], PREDICTED, "square"),
    )


def _points(way: Transition, shares: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    return [(_across(float(k)), _level(float(share))) for k, share in zip(way.k, shares, strict=True)]


def _change_top(way: Transition) -> float:
    """Where the right axis ends: the least of 4, 8, 12, ... hundredths that no change exceeds, so that its quarters
    are whole hundredths."""
    return 0.04 * max(1, int(np.ceil(float(way.change.max()) / 0.04 - 1e-9)))


def _path(k: float) -> float:
    return PATH_LEFT + k * (PATH_RIGHT - PATH_LEFT)


def _across(k: float) -> float:
    return PLOT_LEFT + k * (PLOT_RIGHT - PLOT_LEFT)


def _level(share: float) -> float:
    return PLOT_BOTTOM - share * (PLOT_BOTTOM - PLOT_TOP)


def _told(k: float) -> str:
    """Two decimals, more where k has more: a rounded k would stand for two frames."""
    return f"{k:.2f}" if abs(k - round(k, 2)) < 1e-6 else f"{k:.3f}"


def _pale(colour: Colour) -> Colour:
    red, green, blue = (round(255 - FAINT * (255 - part)) for part in colour)
    return red, green, blue


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"


def _place(picture: Picture, pixels: Pictures, left: int) -> None:
    """Whole pixels repeated, in the middle of the place; a picture larger than it is averaged down."""
    whole = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    factor = SIDE // max(whole.shape[:2])
    if factor:
        shown = Pillow.fromarray(whole.repeat(factor, axis=0).repeat(factor, axis=1))
    else:
        scale = SIDE / max(whole.shape[:2])
        height, width = (max(1, round(side * scale)) for side in whole.shape[:2])
        shown = Pillow.fromarray(whole).resize((width, height), Pillow.Resampling.BOX)
    picture.paste((238, 241, 245), (left, TOP, left + SIDE, TOP + SIDE))
    picture.paste(shown.convert("RGB"), (left + (SIDE - shown.width) // 2, TOP + (SIDE - shown.height) // 2))
