"""Contact sheets and curves as pictures."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from PIL.Image import Image as Picture
from torch import Tensor

from services.pictures import difference_rgb, gray8

SIDE, GAP, TITLE, LINE = 128, 8, 34, 18
INK, MUTED = (27, 34, 48), (91, 101, 119)
# Okabe and Ito's colours, which people with the common kinds of colour blindness tell apart.
COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167))

Pixels = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tile:
    """A picture of a sheet, (h, w) or (h, w, 3) uint8, and the lines under it."""

    pixels: Pixels
    lines: tuple[str, ...] = ()


def gray(image: Tensor) -> Pixels:
    """A (1, h, w) image in [0, 1]."""
    return gray8(image[0].cpu().numpy())


def heat(values: Tensor) -> Pixels:
    """A (1, h, w) map: red speaks for the positive class, blue against it, full colour at its 99.5th percentile."""
    found = values[0].cpu().numpy()
    return difference_rgb(found, float(np.percentile(np.abs(found), 99.5)) or 1.0)


def sheet(title: str, heads: Sequence[str], rows: Sequence[Sequence[Tile]]) -> Picture:
    """Tiles in rows under the columns' heads."""
    lines = [max((len(tile.lines) for tile in row), default=0) for row in rows]
    height = TITLE + LINE + sum(SIDE + GAP + LINE * n for n in lines)
    picture, draw = _paper(GAP + len(heads) * (SIDE + GAP), height, title)
    for j, head in enumerate(heads):
        _write(draw, (GAP + j * (SIDE + GAP), TITLE), head, INK)
    top = TITLE + LINE
    for row, n in zip(rows, lines, strict=True):
        for j, tile in enumerate(row):
            left = GAP + j * (SIDE + GAP)
            shown = Pillow.fromarray(tile.pixels).resize((SIDE, SIDE), Pillow.Resampling.NEAREST)
            picture.paste(shown.convert("RGB"), (left, top))
            for k, text in enumerate(tile.lines):
                _write(draw, (left, top + SIDE + 1 + k * LINE), text, MUTED)
        top += SIDE + GAP + LINE * n
    return picture


@dataclass(frozen=True)
class Line:
    """A curve with its interval at every point, (k,) each."""

    mean: Array
    low: Array
    high: Array


def chart(title: str, across: str, x: Array, lines: Mapping[str, Line], width: int = 560, height: int = 320) -> Picture:
    """Curves over x with their intervals as bars, from 0 (or below) to 1."""
    picture, draw = _paper(width, height, title)
    left, right, top, bottom = 56, width - 130, TITLE + 10, height - 48
    lowest = min(0.0, *(float(line.low.min()) for line in lines.values()))

    def place(at: float, value: float) -> tuple[float, float]:
        share = (at - x.min()) / (x.max() - x.min())
        return left + share * (right - left), bottom - (value - lowest) / (1 - lowest) * (bottom - top)

    for tick in np.arange(np.ceil(lowest * 4), 5) / 4 + 0.0:
        level = place(x.min(), tick)[1]
        draw.line((left, level, right, level), fill=(225, 228, 234))
        _write(draw, (8, int(level) - 8), f"{tick:.2f}", MUTED)
    for at in x:
        _write(draw, (int(place(at, 0)[0]) - 6, bottom + 6), f"{at:g}", MUTED)
    _write(draw, (left, height - 22), across, INK)
    for i, (name, line) in enumerate(lines.items()):
        colour, shift = COLOURS[i % len(COLOURS)], 2 * i
        for at, low, high in zip(x, line.low, line.high, strict=True):
            (a, b), (_, c) = place(at, low), place(at, min(1.0, high))
            draw.line((a + shift, b, a + shift, c), fill=colour)
        draw.line([place(at, value) for at, value in zip(x, line.mean, strict=True)], fill=colour, width=2)
        _write(draw, (right + 12, top + i * LINE), name, colour)
    return picture


def under(*pictures: Picture) -> Picture:
    """Pictures below one another."""
    whole = Pillow.new("RGB", (max(p.width for p in pictures), sum(p.height for p in pictures)), "white")
    top = 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height
    return whole


def stacked(pictures: Sequence[Picture]) -> bytes:
    """Pictures below one another as PNG."""
    buffer = io.BytesIO()
    under(*pictures).save(buffer, "PNG")
    return buffer.getvalue()


def _paper(width: int, height: int, title: str) -> tuple[Picture, ImageDraw.ImageDraw]:
    picture = Pillow.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((GAP, 8), title, fill=INK, font=ImageFont.load_default(15))
    return picture, draw


def _write(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, colour: tuple[int, int, int]) -> None:
    draw.text(at, text, fill=colour, font=ImageFont.load_default(11))
