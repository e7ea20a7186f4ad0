"""What holds for every method that draws with a trained network: REVISE, ExplainGAN, C3LT, on three classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cfcore.engines.base import Engine
from cfcore.engines.c3lt import C3LTConfig, C3LTEngine
from cfcore.engines.expgan import ExplainGAN, ExplainGANConfig
from cfcore.engines.revise import Revise, ReviseConfig
from cfcore.generators.c3lt import C3LT
from cfcore.generators.c3lt import C3LTConfig as C3LTNetworks
from cfcore.generators.expgan import ExpGAN, ExpGANConfig
from cfcore.generators.stylex import StylEx
from cfcore.generators.vae import VAE, VAEConfig
from cfcore.training.weights import freeze
from tests.cfcore.thirds import Thirds, floats

LATENT = VAEConfig(size=16, latent=4, width=16)
TARGET = 2
ENGINES = {
    "revise": (Revise, ReviseConfig(steps=6)),
    "expgan": (ExplainGAN, ExplainGANConfig()),
    "c3lt": (C3LTEngine, C3LTConfig()),
}


def network(name: str, size: int = 16, classes: int = 3) -> nn.Module:
    """An untrained network whose pictures differ."""
    torch.manual_seed(0)
    latent = replace(LATENT, size=size)
    built: dict[str, nn.Module] = {
        "revise": VAE(latent),
        "expgan": ExpGAN(ExpGANConfig(size=size, classes=classes, width=16)),
        "c3lt": C3LT(C3LTNetworks(latent, classes=classes)),
    }
    freeze(built[name])
    return built[name]


@pytest.fixture
def images() -> Tensor:
    """Pictures of the first two classes."""
    return floats(6)[[0, 1, 3, 4]]


def fitted(name: str, images: Tensor) -> Engine:
    engine, config = ENGINES[name]
    return engine.fit(Thirds(), images, TARGET, config, generator=network(name))


@pytest.mark.parametrize("name", ENGINES)
def test_the_same_call_gives_the_same_bytes(name: str, images: Tensor) -> None:
    first, second = (fitted(name, images).explain(images, TARGET, rendering="plain") for _ in range(2))
    assert torch.equal(first.counterfactual, second.counterfactual)
    assert first.counterfactual.shape == images.shape and (first.p_source < 0.5).all()
    assert ((first.counterfactual >= 0) & (first.counterfactual <= 1)).all()


@pytest.mark.parametrize("name", ENGINES)
def test_degree_0_is_the_reconstruction_and_degree_1_the_counterfactual(name: str, images: Tensor) -> None:
    engine = fitted(name, images)
    found = engine.explain(images, TARGET, rendering="plain")
    assert torch.equal(engine.move(images, TARGET, degree=0.0, rendering="plain").counterfactual, found.reconstruction)
    whole = engine.move(images, TARGET, degree=1.0, rendering="plain").counterfactual
    assert torch.allclose(whole, found.counterfactual, atol=1e-6)
    if name == "expgan":
        assert torch.equal(found.reconstruction, images)
    else:
        vae = engine.generator if name == "revise" else engine.generator.vae
        assert torch.allclose(found.reconstruction, vae.decode(vae.encode(images)), atol=1e-6)


@pytest.mark.parametrize("name", ["revise", "c3lt"])
def test_half_way_is_half_way_in_the_latent(name: str, images: Tensor) -> None:
    engine = fitted(name, images)
    begin, end = engine.encode(images, TARGET)[:, :-1].chunk(2, dim=1)
    found = engine.move(images, TARGET, degree=0.5, rendering="plain").counterfactual
    decode = engine.generator.decode
    assert torch.allclose(found, decode((begin + end) / 2), atol=1e-6)


def test_half_a_mask_is_half_the_change(images: Tensor) -> None:
    engine = fitted("expgan", images)
    whole, half = (engine.move(images, TARGET, degree=d, rendering="plain").counterfactual for d in (1.0, 0.5))
    assert torch.allclose(half, (images + whole) / 2, atol=1e-6)


@pytest.mark.parametrize("name", ENGINES)
def test_pictures_are_searched_once_a_target(name: str, images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = fitted(name, images)
    codes = engine.encode(images, TARGET)

    def fail(*_: object) -> None:
        raise AssertionError("searched again")

    monkeypatch.setattr(engine, "_search", fail)
    assert torch.equal(engine.encode(images.flip(0), TARGET), codes.flip(0))
    with pytest.raises(AssertionError, match="searched again"):
        engine.encode(images[:1], 1)


@pytest.mark.parametrize("name", ENGINES)
def test_it_comes_back_from_disk(name: str, images: Tensor, tmp_path: Path) -> None:
    engine = fitted(name, images)
    engine.save(tmp_path)
    again = ENGINES[name][0].load(tmp_path, Thirds(), generator=network(name))
    assert again.directions() == engine.directions() and again.config == engine.config
    wanted, found = (one.explain(images, TARGET, rendering="plain").counterfactual for one in (engine, again))
    assert torch.equal(wanted, found)


@pytest.mark.parametrize("name", ENGINES)
def test_what_does_not_fit_is_refused(name: str, images: Tensor, stylex: StylEx) -> None:
    engine, config = ENGINES[name]
    with pytest.raises(ValueError, match=f"{engine.title} needs an? .* generator, not StylEx: choose or train one"):
        engine.fit(Thirds(), images, TARGET, config, generator=stylex)
    with pytest.raises(ValueError, match="generator, not none: choose or train one"):
        engine.fit(Thirds(), images, TARGET, config)
    with pytest.raises(ValueError, match=r"draws 1 channel\(s\) of \(28, 28\) pixels, the classifier takes 1 of"):
        engine.fit(Thirds(), images, TARGET, config, generator=network(name, size=28))
    if name != "revise":
        with pytest.raises(ValueError, match="leads to 10 classes, the classifier has 3: choose the pair"):
            engine.fit(Thirds(), images, TARGET, config, generator=network(name, classes=10))
    with pytest.raises(ValueError, match="no direction 'up'"):
        fitted(name, images).move(images, TARGET, direction="up", degree=1.0)


def test_an_image_of_the_target_stays_as_its_reconstruction(images: Tensor) -> None:
    engine = fitted("c3lt", images)
    own = floats(3)[2:]
    found = engine.explain(own, TARGET, rendering="plain")
    assert found.p_source.item() > 0.5 and torch.equal(found.counterfactual, found.reconstruction)
