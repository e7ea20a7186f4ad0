"""The VAE: what it learns, how it is stored, what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from cfcore.generators.vae import VAE, VAEConfig, load_vae, save_vae
from cfcore.generators.vae.training import RECIPES, VAETask, VAETraining, quality
from tests.cfcore.generators.trained import same, trained
from tests.cfcore.thirds import Thirds, floats, pictures

SMALL = VAEConfig(size=16, latent=4, width=16)


def fitted(folder: Path, *iterations: int, recipe: str = "l1") -> VAETask:
    settings = replace(RECIPES[recipe], rate=5e-3, half_life=100.0, warm_up=30)
    return trained(lambda generator, end: VAETask(VAE(SMALL), settings, generator, end), folder, *iterations)


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_draws_images_again(recipe: str, tmp_path: Path) -> None:
    task = fitted(tmp_path, 120, recipe=recipe)
    images, _ = pictures()
    found = quality(task.average, Thirds(), images)
    assert found["l1"] < 0.08 and found["agreement"] == 1.0, found
    assert task.held_out() is None
    task.held_out_images = images
    assert task.held_out() == pytest.approx(found["l1"], abs=1e-5)
    picture = task.picture()
    assert picture is not None and picture.shape == (3 * 16, 8 * 16)


def test_the_divergence_is_that_from_a_standard_normal() -> None:
    """With a mean of 1 and a variance of 1 in all four dimensions: 4 / 2 nats."""
    model = VAE(SMALL)
    with torch.no_grad():
        model.code.weight.zero_()
        model.code.bias.copy_(torch.tensor([1.0] * 4 + [0.0] * 4))
    task = VAETask(model, VAETraining(), torch.Generator().manual_seed(0))
    parts = task.step((floats(4), torch.zeros(4).long()), 0, Fabric(accelerator="cpu"))
    assert parts["divergence"] == pytest.approx(2.0)


def test_it_begins_gaussian_and_with_little_beta() -> None:
    """Images of 0.1, drawings of 0.5: squared 0.16 / (2 * 0.01) = 8, L1 0.4 / 0.1 = 4; 2 nats over 256 pixels."""
    losses: list[float] = []

    class Caught(VAETask):
        def update(self, name: str, loss: Tensor, fabric: Fabric) -> bool:
            losses.append(loss.item())
            return False

    model = VAE(SMALL)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.code.bias[:4] = 1.0
    task = Caught(model, VAETraining(warm_up=4), torch.Generator().manual_seed(0))
    for iteration in (0, 3, 4):
        task.step((torch.full((2, 1, 16, 16), 0.1), torch.zeros(2).long()), iteration, Fabric(accelerator="cpu"))
    nats = 2 / 256
    assert losses == pytest.approx([8 + nats / 4, 8 + nats, 4 + nats])


def test_two_calls_are_as_one(tmp_path: Path) -> None:
    one, two = fitted(tmp_path / "one", 6), fitted(tmp_path / "two", 2, 6)
    assert same(one.model, two.model) and same(one.average, two.average)


def test_it_comes_back_from_disk(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = VAE(SMALL)
    save_vae(tmp_path, model, {"name": "small"})
    again = load_vae(tmp_path)
    assert again.config == SMALL and not any(p.requires_grad for p in again.parameters()) and not again.training
    assert torch.allclose(again.decode(again.encode(floats())), model.decode(model.encode(floats())), atol=1e-2)


def test_sizes_are_what_is_promised() -> None:
    for size, most in ((28, 0.6e6), (64, 1.2e6), (128, 1.2e6)):
        model = VAE(VAEConfig(size=size))
        assert sum(p.numel() for p in model.parameters()) < most
    assert (VAEConfig(size=28).latent, VAEConfig(size=64).latent) == (32, 64)


def test_what_is_refused(tmp_path: Path) -> None:
    model = VAE(SMALL)
    with pytest.raises(ValueError, match=r"the VAE takes images \(n, 1, 16, 16\), not \(2, 1, 28, 28\)"):
        model.encode(torch.zeros(2, 1, 28, 28))
    with pytest.raises(ValueError, match="z has length 3, these weights take 4"):
        model.decode(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="latent is -1: choose at least 1"):
        VAEConfig(latent=-1)
    with pytest.raises(ValueError, match="no likelihood 'poisson'; choose l1 or gaussian"):
        VAETraining(likelihood="poisson")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scale 0 and beta 1: choose above 0"):
        VAETraining(scale=0.0)
    (tmp_path / "card.json").write_text('{"kind": "stylex"}')
    with pytest.raises(ValueError, match="holds a 'stylex', not a VAE"):
        load_vae(tmp_path)
