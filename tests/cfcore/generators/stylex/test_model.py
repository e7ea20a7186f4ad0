"""StylEx as a module: conditioning, StyleSpace, fixed noise, disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.generators.stylex.model import load_stylex, save_stylex


def test_the_label_changes_the_picture(stylex: StylEx, images: Tensor) -> None:
    w = stylex.encode(images)
    none, all_ = torch.zeros(10, dtype=torch.long), torch.ones(10, dtype=torch.long)
    assert (stylex.decode(w, none) - stylex.decode(w, all_)).abs().max() > 1e-3


def test_the_same_call_twice_gives_the_same_bytes(stylex: StylEx, images: Tensor) -> None:
    label = torch.zeros(10, dtype=torch.long)
    assert torch.equal(stylex.decode(stylex.encode(images), label), stylex.decode(stylex.encode(images), label))


def test_styles_are_the_way_from_w_to_the_picture(stylex: StylEx, images: Tensor) -> None:
    w, label = stylex.encode(images), torch.arange(10) % 2
    styles = stylex.styles(w, label)
    assert styles.shape == (10, stylex.style_dimension)
    assert torch.equal(stylex.decode_styles(styles, w, label), stylex.decode(w, label))


def test_style_weights_are_the_derivative_of_the_styles(stylex: StylEx) -> None:
    w = torch.randn(1, 32)
    jacobian = torch.autograd.functional.jacobian(lambda v: stylex.styles(v, torch.zeros(1, dtype=torch.long))[0], w)
    assert torch.allclose(jacobian[:, 0], stylex.style_weights(), atol=1e-6)


def test_style_space_leaves_out_to_rgb(stylex: StylEx) -> None:
    assert stylex.style_dimension == sum([16, 16, 16, 16, 8])
    assert len(stylex.synthesis.to_image) == 3


def test_scaled_codes_draw_the_same_pictures(stylex: StylEx, images: Tensor) -> None:
    label = torch.arange(10) % 2
    z = torch.randn(10, 32)
    before = stylex.decode(stylex.encode(images), label), stylex.decode(stylex.mapping(z, label), label)
    stylex.scale_codes(stylex.code_scale(images))
    assert stylex.code_scale(images) == pytest.approx(1.0, rel=1e-4)
    leading = torch.linalg.svd(stylex.style_weights(), full_matrices=False).Vh[:20]
    spread = (stylex.encode(images) @ leading.T).std(dim=0).square().mean().sqrt()
    assert spread.item() == pytest.approx(1.0, rel=1e-3)
    after = stylex.decode(stylex.encode(images), label), stylex.decode(stylex.mapping(z, label), label)
    for old, new in zip(before, after, strict=True):
        assert torch.allclose(old, new, atol=1e-5)


def test_round_trip_on_disk(stylex: StylEx, images: Tensor, tmp_path: Path) -> None:
    save_stylex(tmp_path, stylex, {"name": "small", "code_scale": 2.0}, stylex.new_discriminator())
    again = load_stylex(tmp_path)
    assert torch.allclose(again.encode(images), 2 * stylex.encode(images), atol=0.02)
    label = torch.zeros(10, dtype=torch.long)
    before, after = (model.decode(model.encode(images), label) for model in (stylex, again))
    assert (before - after).abs().max() < 0.02
    assert (tmp_path / "discriminator" / "weights.safetensors").exists()
    with pytest.raises(ValueError, match="holds a 'stylex discriminator', not a StylEx"):
        load_stylex(tmp_path / "discriminator")


@pytest.mark.parametrize(
    ("wrong", "message"), [({"size": 48}, "power of two"), ({"channels": {4: 8, 8: 8}}, "nothing for resolution 16")]
)
def test_impossible_sizes_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StylExConfig(**wrong)  # type: ignore[arg-type]
