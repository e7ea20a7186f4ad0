"""medXGAN's networks: shapes and ranges, what is refused, and that weights come back as they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from cfcore.generators.medxgan import MedXGAN, MedXGANConfig, load_medxgan, save_medxgan
from cfcore.generators.medxgan.model import Discriminator

from .conftest import CONFIG


@pytest.mark.parametrize("size", [64, 128])
def test_pictures_and_codes_have_their_shapes(size: int) -> None:
    config = MedXGANConfig(size=size, channels={4: 8, 8: 8, 16: 4, 32: 4, 64: 4})
    model = MedXGAN(config)
    drawn = model.decode(torch.randn(3, 100), torch.randn(3, 10))
    assert drawn.shape == (3, 1, size, size) and drawn.min() >= 0 and drawn.max() <= 1
    z1, z2 = model.encode(drawn)
    assert z1.shape == (3, 100) and z2.shape == (3, 10)
    assert Discriminator(config)(drawn).shape == (3,)


def test_latents_of_another_length_are_refused(generator: MedXGAN) -> None:
    with pytest.raises(ValueError, match=r"lengths \(3, 2\), these weights take \(4, 2\)"):
        generator.decode(torch.zeros(1, 3), torch.zeros(1, 2))


def test_images_of_another_size_are_refused(generator: MedXGAN) -> None:
    with pytest.raises(ValueError, match=r"images \(n, 1, 16, 16\), these are \(1, 1, 8, 8\): resize them"):
        generator.encode(torch.zeros(1, 1, 8, 8))


def test_a_generator_without_encoder_says_so() -> None:
    model = MedXGAN(MedXGANConfig(size=16, anatomy=4, pathology=2, channels={4: 8, 8: 8}, encoder=False))
    with pytest.raises(ValueError, match=r"without an encoder: invert from N\(0, I\)"):
        model.encode(torch.zeros(1, 1, 16, 16))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 48}, "size is 48: choose 4 times a power of two"),
        ({"size": 256}, "no channels are given for 128 px"),
        ({"pathology": 0}, "choose at least 1 for both"),
    ],
)
def test_sizes_that_cannot_be(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MedXGANConfig(**wrong)  # type: ignore[arg-type]


def test_weights_come_back(tmp_path: Path, generator: MedXGAN) -> None:
    z1, z2 = torch.randn(2, 4), torch.randn(2, 2)
    save_medxgan(tmp_path, generator, {"name": "small"}, Discriminator(CONFIG))
    assert torch.allclose(load_medxgan(tmp_path).decode(z1, z2), generator.decode(z1, z2), atol=0.01)
    assert (tmp_path / "discriminator" / "weights.safetensors").exists()
    card = json.loads((tmp_path / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(card | {"kind": "stylex"}))
    with pytest.raises(ValueError, match="holds a 'stylex', not a medXGAN generator"):
        load_medxgan(tmp_path)
