"""StylEx as a module: conditioning, StyleSpace, fixed noise, disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.generators.stylex.model import load_earlier, load_stylex, save_stylex


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


def small(**fields: int) -> StylEx:
    narrow = {4: 8, 8: 8, 16: 8}
    config = {"size": 16, "width": 12, "condition": 4, "channels": narrow, "critic_channels": narrow} | fields
    return StylEx(StylExConfig(**config))  # type: ignore[arg-type]


def test_a_second_pass_sees_what_the_first_misses() -> None:
    torch.manual_seed(0)
    model = small(encoder_passes=2)
    images = torch.rand(6, 1, 16, 16)
    assert torch.equal(model.encode(images), model.encoder(images))  # it begins with no correction
    torch.nn.init.normal_(model.encoder.correction.weight)
    correction = model.encode(images) - model.encoder(images)
    assert correction.abs().mean() > 0.01
    with torch.no_grad():
        drawn = model.synthesis(model.encoder(images), model.embedding.weight.mean(dim=0).expand(6, -1))
    assert torch.allclose(correction, model.encoder.correct(images, drawn), atol=1e-5)
    assert not torch.allclose(correction, model.encoder.correct(images, images), atol=1e-3)
    label = torch.arange(6) % 2
    before = model.decode(model.encode(images), label)
    model.scale_codes(3.0)
    assert torch.allclose(model.decode(model.encode(images), label), before, atol=1e-5)


def test_more_than_two_passes_are_refused() -> None:
    with pytest.raises(ValueError, match="encoder_passes must be 1 or 2, not 3"):
        small(encoder_passes=3)


def test_a_shared_generator_is_that_of_one_classifier_when_loaded_for_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = small(classes=4, encoder_passes=2)
    torch.nn.init.normal_(model.encoder.correction.weight)
    save_stylex(tmp_path, model, {"name": "second of two", "class_rows": [2, 3], "code_scale": 1.0})
    own = load_stylex(tmp_path)
    assert own.config.classes == 2 and own.embedding.num_embeddings == own.mapping.embedding.num_embeddings == 2
    images, label = torch.rand(4, 1, 16, 16), torch.tensor([0, 1, 0, 1])
    assert torch.allclose(own.encode(images), model.encode(images), atol=0.05)
    w, z = model.encode(images), torch.randn(4, 12)
    assert torch.allclose(own.decode(w, label), model.decode(w, label + 2), atol=0.02)
    assert not torch.allclose(own.decode(w, label), model.decode(w, label), atol=0.02)
    assert torch.allclose(own.mapping(z, label), model.mapping(z, label + 2), atol=0.02)
    with pytest.raises(ValueError, match=r"rows \[1, 4\] are not among the generator's 4"):
        model.keep_classes([1, 4])


def test_a_larger_generator_begins_as_the_stored_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    stored, larger = small(), small(classes=4, encoder_passes=2)
    save_stylex(tmp_path, stored, {"name": "first"})
    load_earlier(tmp_path, larger)
    images, label = torch.rand(4, 1, 16, 16), torch.tensor([0, 1, 0, 1])
    assert torch.allclose(larger.encode(images), stored.encode(images), atol=0.02)
    for shift in (0, 2):
        w = stored.encode(images)
        assert torch.allclose(larger.decode(w, label + shift), stored.decode(w, label), atol=0.02)
    with pytest.raises(ValueError, match="does not fit StylEx"):
        load_earlier(tmp_path, StylEx(StylExConfig(size=16, width=20)))
