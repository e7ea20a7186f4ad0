"""Frames of the transition animation: their number, and what is where in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from cfcore.engines.mirror import MirrorCFEConfig, MirrorEngine
from cfcore.engines.mirror.transition import transition
from cfcore.mirror.transition import Transition
from cfcore.reports.transition import (
    CHANGE,
    HOLD_ENDS,
    HOLD_FIRST,
    INTENDED,
    LEFT,
    PLOT_BOTTOM,
    PLOT_TOP,
    PREDICTED,
    RIGHT,
    SIDE,
    TOP,
    frame,
    frames,
)  # fmt: skip
from tests.cfcore.graded import pictures, small_decoder, trained_classifier


def made(first: float | None) -> Transition:
    """Five points: intended rises from 0 to 1, predicted is 0.25 all along, change goes from 0 to 0.04."""
    k = np.linspace(0, 1, 5)
    image = np.full((8, 8), 0.2, np.float32)
    shown = np.stack([np.full((8, 8), 0.2 + 0.1 * i, np.float32) for i in range(5)])
    flat = np.full(5, 0.25)
    return Transition(
        image,
        shown,
        k,
        np.stack([1 - k, k], axis=1),
        np.stack([1 - flat, flat], axis=1),
        0.04 * k,
        first,
        "a",
        "b",
        "a",
    )


def rows_of(colour: tuple[int, int, int], picture: npt.NDArray[np.uint8], x: slice) -> npt.NDArray[np.int64]:
    part = picture[PLOT_TOP - 8 : PLOT_BOTTOM + 9, x].astype(int)
    return np.unique((np.abs(part - np.array(colour)).sum(axis=2) < 12).nonzero()[0]) - 8


def test_both_ends_and_the_first_counterfactual_are_held() -> None:
    assert len(list(frames(made(0.5)))) == 5 - 3 + 2 * HOLD_ENDS + HOLD_FIRST
    assert len(list(frames(made(None)))) == 5 - 2 + 2 * HOLD_ENDS


def test_every_panel_shows_its_data() -> None:
    last = frame(made(0.5), 4)
    assert last.shape == (840, 720, 3) and last.shape[0] % 2 == 0, "video takes even sides"
    middle = TOP + SIDE // 2
    assert (last[middle, LEFT + SIDE // 2] == 51).all() and (last[middle, RIGHT + SIDE // 2] == 153).all()
    height, at = PLOT_BOTTOM - PLOT_TOP, slice(496, 500)
    # At k = 0.75, which lies at pixel 498: intended and change are at 0.75 of the height, predicted at 0.25.
    for colour, share in ((PREDICTED, 0.25), (INTENDED, 0.75)):
        assert abs(rows_of(colour, last, at) - (1 - share) * height).max() <= 4
    early = frame(made(0.5), 1)
    assert len(rows_of(PREDICTED, early, at)) == 0, "what is to come is pale"
    end = slice(632, 641)
    assert len(rows_of(PREDICTED, last, end)) and not (last[384:410, RIGHT:] == CHANGE).all(axis=2).any()
    for top, colour in ((384, INTENDED), (404, PREDICTED)):
        assert (np.abs(last[top - 8 : top + 8, RIGHT:].astype(int) - colour).sum(axis=2) < 30).any(), "text (S, T)"


def test_the_way_of_an_engine() -> None:
    classifier = trained_classifier()
    engine = MirrorEngine(classifier, small_decoder(classifier), MirrorCFEConfig())
    image = pictures(3)[0][:1].float() / 255
    way = transition(engine, image, 2, 0, points=5)
    assert (way.source, way.target, way.truth, way.case) == ("dark", "bright", "dark", "correct")
    assert set(np.linspace(0, 1, 5)) <= set(way.k) and way.pictures.shape == (len(way.k), 16, 16)
    assert way.first is None or way.first in way.k
    shown = torch.from_numpy(way.pictures)[:, None]
    assert np.allclose(way.predicted, classifier.logits(shown).softmax(dim=1)[:, [0, 2]].detach(), atol=1e-5)
    assert np.allclose(way.change, (shown - image).abs().mean(dim=(1, 2, 3)), atol=1e-6)
    assert np.allclose(way.intended[0], classifier.logits(image).softmax(dim=1)[0, [0, 2]].detach(), atol=1e-5)
    wrong = transition(engine, image, 1, 1, points=2)
    assert (wrong.source, wrong.target, wrong.case) == ("dark", "middle", "error")
    with pytest.raises(ValueError, match="choose the target 'middle'"):
        transition(engine, image, 2, 1)
    with pytest.raises(ValueError, match="at least 2"):
        transition(engine, image, 2, 0, points=1)
