"""Sheets and curves: what stands where."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image

from services.reproduce.medxgan.drawing import (
    COLOURS,
    GAP,
    LINE,
    SIDE,
    TITLE,
    Line,
    Tile,
    chart,
    gray,
    heat,
    sheet,
    stacked,
)


def test_tiles_stand_under_their_heads() -> None:
    black, white = torch.zeros(1, 16, 16), torch.ones(1, 16, 16)
    picture = sheet("toy", ["a", "b"], [[Tile(gray(black), ("p 0.10",)), Tile(gray(white))], [Tile(gray(white))]])
    assert picture.size == (GAP + 2 * (SIDE + GAP), TITLE + LINE + 2 * (SIDE + GAP) + LINE)
    top = TITLE + LINE + SIDE // 2
    assert picture.getpixel((GAP + SIDE // 2, top)) == (0, 0, 0)
    assert picture.getpixel((2 * GAP + SIDE + SIDE // 2, top)) == (255, 255, 255)


def test_what_speaks_for_the_class_is_red() -> None:
    values = torch.zeros(1, 4, 4)
    values[0, 0, 0], values[0, 1, 1] = 2.0, -2.0
    found = heat(values)
    assert found[0, 0, 0] > found[0, 0, 2] and found[1, 1, 2] > found[1, 1, 0]
    assert found[3, 3].tolist() == [255, 255, 255] and heat(torch.zeros(1, 4, 4)).min() == 255


def test_a_curve_lies_at_its_height() -> None:
    x = np.array([1.0, 15.5, 30.0])
    flat = Line(np.full(3, 0.5), np.full(3, 0.4), np.full(3, 0.6))
    below = Line(np.full(3, -0.2), np.full(3, -0.3), np.full(3, -0.1))
    pixels = np.asarray(chart("toy", "% of the pixels", x, {"A": flat, "B": below}))
    rows = [np.flatnonzero((pixels[:, 100] == colour).all(axis=1)).mean() for colour in COLOURS[:2]]
    # From -0.3 at the bottom (row 272) to 1 at the top (row 44).
    assert abs(rows[0] - (272 - 0.8 / 1.3 * 228)) < 2 and abs(rows[1] - (272 - 0.1 / 1.3 * 228)) < 2


def test_pictures_below_one_another_are_one_png() -> None:
    one = sheet("toy", ["a"], [[Tile(gray(torch.zeros(1, 8, 8)))]])
    both = Image.open(io.BytesIO(stacked([one, one])))
    assert both.format == "PNG" and both.size == (one.width, 2 * one.height)
