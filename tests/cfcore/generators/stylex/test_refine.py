"""Refinement: closer than the encoder, never worse, the same whatever the batch, weights untouched."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.generators.stylex import StylEx
from cfcore.generators.stylex.refine import Refinement, as_rows, code_rows, decode_rows, refine


def test_equal_rows_draw_what_the_one_code_draws(stylex: StylEx, images: Tensor) -> None:
    w, label = stylex.encode(images), torch.arange(10) % 2
    rows = as_rows(stylex, w)
    assert rows.shape == (10, 6, 32) and code_rows(stylex) == 6
    assert torch.allclose(decode_rows(stylex, rows, label), stylex.decode(w, label), atol=1e-6)


def test_every_row_is_used(stylex: StylEx, images: Tensor) -> None:
    rows = as_rows(stylex, stylex.encode(images[:1])).clone()
    label = torch.zeros(1, dtype=torch.long)
    before = decode_rows(stylex, rows, label)
    for i in range(code_rows(stylex)):
        other = rows.clone()
        other[:, i] += 1.0
        assert not torch.equal(decode_rows(stylex, other, label), before), f"row {i} changes nothing"


@pytest.mark.parametrize("space", ["w", "w+"])
def test_refined_pictures_are_closer(stylex: StylEx, space: str) -> None:
    """The goal is a picture that G can draw, a known step away from where the encoder starts."""
    torch.manual_seed(5)
    label = torch.zeros(6, dtype=torch.long)
    goal = stylex.decode(torch.randn(6, 32), label)
    before = stylex.state_dict()["synthesis.constant"].clone()
    config = Refinement(steps=40, rate=0.1, space=space)  # type: ignore[arg-type]
    code = refine(stylex, goal, label, config)
    drawn = decode_rows(stylex, code, label) if space == "w+" else stylex.decode(code, label)
    start = (stylex.decode(stylex.encode(goal), label) - goal).abs().mean(dim=(1, 2, 3))
    after = (drawn - goal).abs().mean(dim=(1, 2, 3))
    assert (after <= start).all() and after.mean() < 0.5 * start.mean()
    assert torch.equal(code, refine(stylex, goal, label, config)), "the same call gives the same codes"
    assert torch.equal(stylex.state_dict()["synthesis.constant"], before)
    assert all(p.grad is None for p in stylex.parameters())


def test_images_do_not_see_each_other(stylex: StylEx, images: Tensor) -> None:
    many = torch.cat([images, images.flip(3)])
    label = torch.arange(20) % 2
    config = Refinement(steps=5)
    together = refine(stylex, many, label, config)
    alone = refine(stylex, many[17:18], label[17:18], config)
    assert torch.allclose(together[17:18], alone, atol=1e-3)


def test_no_step_is_the_encoder(stylex: StylEx, images: Tensor) -> None:
    label = torch.zeros(10, dtype=torch.long)
    assert torch.equal(refine(stylex, images, label, Refinement(0, space="w")), stylex.encode(images))


def test_bad_settings_are_refused(stylex: StylEx, images: Tensor) -> None:
    with pytest.raises(ValueError, match="steps must be 0 or more"):
        Refinement(steps=-1)
    with pytest.raises(ValueError, match="rate must be positive"):
        Refinement(rate=0)
    with pytest.raises(ValueError, match='"w" or "w\\+"'):
        Refinement(space="z")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no image to refine"):
        refine(stylex, images[:0], torch.zeros(0, dtype=torch.long))
