"""The transition of a colour image, and its frames: red stays red at every point of the way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cfcore.engines.mirror import MirrorCFEConfig, MirrorEngine
from cfcore.engines.mirror.transition import transition
from cfcore.mirror.transition import Transition
from cfcore.reports.transition import HEIGHT, LEFT, RIGHT, SIDE, TOP, WIDTH, frames
from tests.cfcore.pooled import Exact
from tests.cfcore.tinted import RED, Redness, tinted

DULL, VIVID = 0, 1
POINTS = 5


@pytest.fixture
def way() -> Transition:
    classifier = Redness()
    engine = MirrorEngine(classifier, Exact(classifier), MirrorCFEConfig())
    return transition(engine, tinted(1), VIVID, DULL, points=POINTS)


def place(frame: npt.NDArray[np.uint8], left: int) -> npt.NDArray[np.uint8]:
    """(16, 16, 3): one pixel of each block of 20 that a pixel of the picture fills."""
    blocks = frame[TOP : TOP + SIDE, left : left + SIDE].reshape(16, 20, 16, 20, 3)
    assert (blocks == blocks[:, :1, :, :1]).all(), "whole pixels"
    return blocks[:, 0, :, 0]


def test_the_way_of_a_colour_image(way: Transition) -> None:
    """D = -0.9: red rises by 0.12 k, green falls by 0.06 k, blue stays."""
    k, d = way.k, np.array([0.12, -0.06, 0.0])
    # The 1st CFE lies on or right behind the mirror, and is shown, too, where it is none of the even steps.
    assert way.first in (0.5, 0.51) and set(np.linspace(0, 1, POINTS)) | {way.first} == set(k)
    assert way.image.shape == (16, 16, 3) and way.pictures.shape == (len(k), 16, 16, 3)
    assert way.pictures.dtype == np.float32 and way.pictures.min() >= 0 and way.pictures.max() <= 1
    np.testing.assert_array_equal(way.image, tinted(1)[0].permute(1, 2, 0).numpy())
    np.testing.assert_allclose(way.image.mean(axis=(0, 1)), RED, atol=1e-6)
    np.testing.assert_allclose(way.pictures, way.image + k[:, None, None, None] * d, atol=1e-5)
    np.testing.assert_allclose(way.change, k * 0.06, atol=1e-6)
    p = 1 / (1 + np.exp((1 - 2 * k) * 0.9))
    for found in (way.intended, way.predicted):
        np.testing.assert_allclose(found, np.stack([1 - p, p], axis=1), atol=1e-5)


def test_frames_show_the_colours_of_the_pictures(way: Transition) -> None:
    shown = list(frames(way))
    assert all(frame.shape == (HEIGHT, WIDTH, 3) and frame.dtype == np.uint8 for frame in shown)
    # The ends are held: the first and the last frame are those of k = 0 and k = 1.
    for frame, i in ((shown[0], 0), (shown[-1], -1)):
        for left, pixels in ((LEFT, way.image), (RIGHT, way.pictures[i])):
            np.testing.assert_array_equal(place(frame, left), np.rint(pixels * 255))
    for frame in shown:
        red, green, blue = place(frame, RIGHT).astype(int).reshape(-1, 3).T
        assert (red > green + 45).all() and (green > blue).all(), "red, not grey"
