"""Figure 1 on a toy whose feature is known: the right pairs, the box where it grows, the picture's layout."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageFont
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.generators.stylex import StylEx
from cfcore.images.phantom import counterfactual, render, sample_patient
from services.reproduce.figure1 import (
    GAP,
    MARK,
    SIDE,
    TITLE,
    Extent,
    Pair,
    caption,
    chosen_pairs,
    drawn,
    moved_factor,
    printable,
)
from services.reproduce.material import Images


@pytest.fixture
def engine(middle: Classifier, heart: StylEx) -> EigenFind:
    images = torch.linspace(0.5, 0.62, 4).view(4, 1, 1, 1).expand(4, 1, 64, 64)
    return EigenFind.fit(middle, images, 1, EigenFindConfig(scan=2, k=2, degree=6.0), generator=heart)


@pytest.fixture
def pool() -> Tensor:
    return torch.linspace(0.58, 0.66, 6).view(6, 1, 1, 1).expand(6, 1, 128, 128).contiguous()


def test_the_explained_ones_are_shown_and_their_feature_is_boxed(engine: EigenFind, pool: Tensor) -> None:
    extent = Extent(shown=3, degree=6.0)
    pairs = chosen_pairs("toy", engine, Images(pool), extent, "detail transfer", measured=False)
    assert len(pairs) == 3
    for pair in pairs:
        row = pair.row
        assert row["explained"] and row["flipped"] and row["direction"] == "v1 +"
        assert row["p_source"] < 0.5 < row["p_counterfactual"] and "factor" not in row
        assert pair.original.shape == pair.counterfactual.shape == (128, 128)
        box = row["box"]
        # The blob's middle: row 0.7, column 0.5 of the image.
        assert box["top"] < 0.7 < box["bottom"] and box["left"] < 0.5 < box["right"]
        assert (box["bottom"] - box["top"]) * (box["right"] - box["left"]) < 0.5
    plain = chosen_pairs("toy", engine, Images(pool), extent, "plain", measured=False)
    assert plain[0].original.shape == (64, 64)


def test_what_does_not_flip_is_marked_so(engine: EigenFind, pool: Tensor) -> None:
    pairs = chosen_pairs("toy", engine, Images(pool), Extent(shown=1, degree=0.1), "plain", measured=False)
    assert not pairs[0].row["explained"] and caption(pairs[0].row)[0].endswith("not flipped")


def test_the_factor_that_moved_most_is_named() -> None:
    patient = counterfactual(sample_patient(4242, "cardiomegaly", positive=False), cardiothoracic_ratio=0.42)
    larger = counterfactual(patient, cardiothoracic_ratio=0.60)
    row = moved_factor(render(patient, 128), render(larger, 128))
    assert row["factor"] == "cardiothoracic_ratio" and row["after"] - row["before"] == pytest.approx(0.18, abs=0.04)
    noise = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    assert moved_factor(noise, noise) == {}


def test_the_picture_has_a_block_a_generator(engine: EigenFind, pool: Tensor) -> None:
    pairs = chosen_pairs("toy", engine, Images(pool), Extent(shown=2, degree=6.0), "detail transfer", measured=False)
    picture = np.asarray(Image.open(io.BytesIO(drawn([("One", pairs), ("Two", pairs[:1]), ("None", [])]))))
    one = np.asarray(Image.open(io.BytesIO(drawn([("One", pairs)]))))
    assert picture.shape == (2 * one.shape[0], GAP + 2 * (SIDE + GAP), 3)
    original = one[TITLE : TITLE + SIDE, GAP : GAP + SIDE]
    assert np.abs(original[..., 0] / 255 - pairs[0].original.mean()).max() < 0.02
    moved = one[TITLE + SIDE + GAP : TITLE + 2 * SIDE + GAP, GAP : GAP + SIDE]
    assert (moved == MARK).all(axis=2).sum() > 100 and not (original == MARK).all(axis=2).any()
    with pytest.raises(ValueError, match="no pair to draw"):
        drawn([("None", [])])


def test_captions_carry_a_true_minus() -> None:
    row = {"direction": "v2 -", "p_source": 0.1, "p_counterfactual": 0.9, "flipped": True}
    assert caption(row) == ["v2 −   p 0.10 to 0.90"]
    assert caption(row | {"factor": "age", "before": 40.0, "after": 70.0})[1] == "Age (years) 40.00 to 70.00"
    assert isinstance(Pair(np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32), row).row, dict)


def test_every_letter_of_a_caption_is_in_the_font() -> None:
    row = {"direction": "v2 -", "p_source": 0.1, "p_counterfactual": 0.6, "flipped": False}
    font = ImageFont.load_default(13)
    absent = bytes(font.getmask("\uffff"))
    text = "".join(map(printable, caption(row)))
    assert "v2 -" in text
    assert [letter for letter in text if letter != " " and bytes(font.getmask(letter)) == absent] == []
