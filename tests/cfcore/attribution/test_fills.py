"""Exactly the top pixels are replaced, by what was asked for, and no other changes by a bit."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cfcore.attribution.fills import filled, paint, replace_top, top_pixels
from cfcore.attribution.names import FILLED, FILLS


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, Tensor, float]:
    """Images whose pixels are never those of a fill, attributions with many ties, a share."""
    seed, height, width = draw(st.integers(0, 10_000)), draw(st.integers(2, 9)), draw(st.integers(2, 9))
    g = torch.Generator().manual_seed(seed)
    images = torch.rand(2, 1, height, width, generator=g) * 0.8 + 0.1
    levels = draw(st.integers(1, 40))
    attribution = torch.randint(-levels, levels + 1, (2, 1, height, width), generator=g).float()
    return images, attribution, draw(st.floats(0, 1))


@settings(deadline=None, max_examples=80)
@given(cases(), st.sampled_from(FILLS), st.sampled_from(["value", "size"]))
def test_exactly_the_top_pixels_are_replaced(case: tuple[Tensor, Tensor, float], fill: str, by: str) -> None:
    images, attribution, share = case
    mask = top_pixels(attribution, share, by)  # type: ignore[arg-type]
    worth = attribution.abs() if by == "size" else attribution
    for image_mask, image_worth in zip(mask, worth, strict=True):
        assert int(image_mask.sum()) == round(share * mask[0].numel())
        if image_mask.any() and not image_mask.all():
            assert image_worth[image_mask].min() >= image_worth[~image_mask].max()
    changed = replace_top(images, attribution, share, fill, by=by)  # type: ignore[arg-type]
    assert torch.equal(changed[~mask], images[~mask])
    assert changed.min() >= 0 and changed.max() <= 1
    if fill in ("black", "white"):
        assert torch.equal(changed != images, mask)
    if fill != "inpaint":
        assert torch.equal(changed[mask], paint(images, fill)[mask])  # type: ignore[arg-type]
    again = replace_top(images, attribution, share, fill, by=by)  # type: ignore[arg-type]
    assert torch.equal(changed, again)


def test_equal_pixels_go_in_reading_order() -> None:
    mask = top_pixels(torch.zeros(1, 1, 3, 4), 0.5)
    assert mask.flatten().tolist() == [True] * 6 + [False] * 6


def test_every_image_may_have_its_own_share() -> None:
    mask = top_pixels(torch.rand(3, 1, 4, 5), torch.tensor([0.0, 0.1, 1.0]))
    assert mask.flatten(1).sum(dim=1).tolist() == [0, 2, 20]


def test_negative_pixels_come_last_by_value_and_first_by_size() -> None:
    attribution = torch.tensor([[-5.0, 1.0], [0.0, 2.0]]).view(1, 1, 2, 2)
    assert top_pixels(attribution, 0.25).flatten().tolist() == [False, False, False, True]
    assert top_pixels(attribution, 0.25, "size").flatten().tolist() == [True, False, False, False]


def test_what_each_fill_draws() -> None:
    g = torch.Generator().manual_seed(0)
    images = torch.rand(2, 1, 64, 64, generator=g)
    images[1] *= 0.5
    assert set(FILLED) == set(FILLS)
    assert torch.allclose(paint(images, "mean")[:, 0, 5, 7], images.mean(dim=(1, 2, 3)))
    blurred = paint(images, "blur")
    assert torch.allclose(blurred.mean(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3)), atol=0.01)
    assert (blurred.std(dim=(1, 2, 3)) < 0.2 * images.std(dim=(1, 2, 3))).all()
    noise = paint(images, "noise")
    assert torch.equal(noise, paint(images, "noise")), "the same pattern at every call"
    assert torch.allclose(noise.mean(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3)), atol=0.02)
    assert torch.allclose(noise.std(dim=(1, 2, 3)), images.std(dim=(1, 2, 3)), atol=0.03)
    spot = torch.zeros(1, 1, 9, 9)
    spot[0, 0, 4, 4] = 1
    assert paint(spot, "blur")[0, 0, 4].argmax() == 4 and torch.allclose(paint(spot, "blur"), paint(spot, "blur").mT)


def test_inpainting_goes_on_with_a_slope() -> None:
    """A plane solves the Laplace equation, so inpainting gives back what was taken out of it."""
    ramp = torch.linspace(0, 1, 12).expand(1, 1, 8, 12).clone()
    mask = torch.zeros(1, 1, 8, 12, dtype=torch.bool)
    mask[..., 2:6, 3:9] = True
    hidden = torch.where(mask, 0.0, ramp)
    assert torch.allclose(filled(hidden, mask, "inpaint"), ramp, atol=1e-6)
    whole = filled(ramp, torch.ones_like(mask), "inpaint")
    assert torch.allclose(whole, ramp.mean().expand_as(ramp))


def test_volumes_are_filled_too() -> None:
    volume, worth = torch.rand(1, 1, 4, 5, 6), torch.rand(1, 1, 4, 5, 6)
    for fill in FILLS:
        changed = replace_top(volume, worth, 0.25, fill)
        assert int((changed != volume).sum()) == 30


def test_what_makes_no_sense_is_refused() -> None:
    images, attribution = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4)
    with pytest.raises(ValueError, match="no fill 'grey'; choose one of: mean, blur"):
        replace_top(images, attribution, 0.1, "grey")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="attribute at the images' own size"):
        replace_top(images, attribution[:, :, :3], 0.1)
    with pytest.raises(ValueError, match=r"choose a share of the pixels from 0 to 1"):
        replace_top(images, attribution, 1.5)
    with pytest.raises(ValueError, match="not finite"):
        top_pixels(attribution / 0, 0.1)
    with pytest.raises(ValueError, match=r"expected \(n, 1, \*size\)"):
        top_pixels(torch.rand(2, 3, 4, 4), 0.1)
    with pytest.raises(ValueError, match="needs to know the pixels"):
        paint(images, "inpaint")
