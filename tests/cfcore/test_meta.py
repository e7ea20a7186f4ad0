"""Every network forward and backward on torch's meta device, which fails on any mix of devices."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cfcore.classifiers.densenet import BinaryDenseNet
from cfcore.classifiers.resnet import ResidualNet
from cfcore.classifiers.trunk import BinaryVGG, SmallCNN
from cfcore.generators.c3lt import C3LT, C3LTConfig
from cfcore.generators.convolutional import Critic as ClassCritic
from cfcore.generators.expgan import ExpGAN, ExpGANConfig
from cfcore.generators.medxgan import MedXGAN, MedXGANConfig
from cfcore.generators.medxgan.model import Discriminator as Critic
from cfcore.generators.mirror import MirrorConfig, MirrorDecoder
from cfcore.generators.mirror.model import Discriminator as MirrorCritic
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.generators.stylex.losses import classifier_terms, path_lengths, r1_penalty
from cfcore.generators.vae import VAE, VAEConfig
from cfcore.mirror.maps import moved_maps
from cfcore.mirror.triangulation import triangulation

CONFIG = StylExConfig(size=64, width=64, condition=4)


def _images() -> Tensor:
    return torch.rand(4, 1, 64, 64, device="meta")


def _labels() -> Tensor:
    return torch.zeros(4, dtype=torch.long, device="meta")


def _densenet() -> tuple[nn.Module, Tensor]:
    network = BinaryDenseNet(("no", "yes"), 64).to("meta")
    return network, network.logits(_images())


def _encode_decode() -> tuple[nn.Module, Tensor]:
    model = StylEx(CONFIG).to("meta")
    w = model.encode(_images())
    return model, model.decode_styles(model.styles(w, _labels()), w, _labels()) + model.decode(w, _labels())


def _mapping() -> tuple[nn.Module, Tensor]:
    model = StylEx(CONFIG).to("meta")
    w = model.mapping(torch.randn(4, 64, device="meta"), _labels())
    images = model.decode(w, _labels())
    return model.mapping, path_lengths(images, w, torch.randn_like(images))


def _discriminator() -> tuple[nn.Module, Tensor]:
    critic = StylEx(CONFIG).new_discriminator().to("meta")
    return critic, critic(_images(), _labels()) + r1_penalty(critic, _images(), _labels())


def _losses() -> tuple[nn.Module, Tensor]:
    network = BinaryDenseNet(("no", "yes"), 64).to("meta")
    kl, perceptual = classifier_terms(network, _images(), _images().requires_grad_(True), perceptual=True)
    return network, kl + perceptual


def _vgg() -> tuple[nn.Module, Tensor]:
    network = BinaryVGG(("no", "yes"), 64, width=0.1).to("meta")
    return network, network.logits(_images())


def _small_cnn() -> tuple[nn.Module, Tensor]:
    network = SmallCNN(("no", "yes"), 64).to("meta")
    return network, network.logits(_images())


def _resnet() -> tuple[nn.Module, Tensor]:
    network = ResidualNet("resnet50", ("a", "b", "c"), 64, width=0.1).to("meta")
    return network, network.logits(_images())


def _medxgan() -> tuple[nn.Module, Tensor]:
    model = MedXGAN(MedXGANConfig()).to("meta")
    return model, model.decode(*model.encode(_images()))


def _medxgan_critic() -> tuple[nn.Module, Tensor]:
    critic = Critic(MedXGANConfig()).to("meta")
    return critic, critic(_images())


def _vae() -> tuple[nn.Module, Tensor]:
    model = VAE(VAEConfig()).to("meta")
    mean, log_variance = model.posterior(_images())
    return model, model.decode(mean + log_variance)


def _expgan() -> tuple[nn.Module, Tensor]:
    model = ExpGAN(ExpGANConfig()).to("meta")
    return model, model.counterfactual(_images(), _labels())


def _c3lt() -> tuple[nn.Module, Tensor]:
    model = C3LT(C3LTConfig()).to("meta")
    return model, model.decode(model.move(model.encode(_images()), _labels(), _labels() + 1))


def _class_critic() -> tuple[nn.Module, Tensor]:
    critic = ClassCritic(64, 1, 2, 16).to("meta")
    return critic, critic(_images(), _labels())


def _mirror() -> tuple[nn.Module, Tensor]:
    *skips, maps = BinaryDenseNet(("no", "yes"), 64).to("meta").pyramid(_images())
    levels = tuple((level.shape[1], level.shape[2]) for level in (*skips, maps))
    model = MirrorDecoder(MirrorConfig(64, levels, "")).to("meta")
    k, step = torch.rand(4, device="meta"), torch.rand(4, maps.shape[1], device="meta")
    drawn = model(moved_maps(maps, step, k), skips, torch.rand(4, 2, *maps.shape[2:], device="meta"), k)
    return model, triangulation((drawn, step), (_images(), step), (_images(), step), 1.5)


def _mirror_critic() -> tuple[nn.Module, Tensor]:
    critic = MirrorCritic(64).to("meta")
    return critic, critic(_images())


BUILDS = [
    _densenet, _encode_decode, _mapping, _discriminator, _losses, _vgg, _small_cnn, _resnet, _medxgan,
    _medxgan_critic,
    _vae, _expgan, _c3lt, _class_critic, _mirror, _mirror_critic,
]  # fmt: skip


@pytest.mark.parametrize("build", BUILDS)
def test_forward_and_backward_on_meta(build: Callable[[], tuple[nn.Module, Tensor]]) -> None:
    module, out = build()
    assert out.device.type == "meta"
    out.sum().backward()
    assert any(parameter.grad is not None for parameter in module.parameters())
    assert all(p.grad is None or p.grad.device.type == "meta" for p in module.parameters())
