"""Folded networks: the same function, without the batch norms, and the network itself is left as it was."""

from __future__ import annotations

from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from cfcore.classifiers.trunk import SmallCNN
from cfcore.generators.medxgan import MedXGAN, MedXGANConfig
from cfcore.training.folding import folded
from cfcore.training.weights import freeze

Network = TypeVar("Network", bound=nn.Module)


def used(network: Network) -> Network:
    """With statistics and factors such as a training leaves behind."""
    torch.manual_seed(0)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            for tensor, low, high in ((part.running_mean, -1, 1), (part.running_var, 0.3, 3), (part.weight, -1, 2)):
                assert tensor is not None
                nn.init.uniform_(tensor, low, high)
            nn.init.normal_(part.bias)
    freeze(network)
    return network


def norms(network: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())


def test_a_classifier_gives_the_same_logits_and_gradients() -> None:
    network = used(SmallCNN(("No", "Yes"), 32, width=0.25))
    quick = folded(network)
    images = torch.rand(3, 1, 32, 32)
    found: list[tuple[Tensor, Tensor]] = []
    for one in (network, quick):
        leaf = images.clone().requires_grad_()
        logits = one.logits(leaf)
        found.append((logits.detach(), torch.autograd.grad(logits[:, 1].sum(), leaf)[0]))
    for before, after in zip(*found, strict=True):
        assert torch.allclose(before, after, rtol=1e-4, atol=1e-5 * float(before.abs().max()))
    assert norms(network) == 4 and norms(quick) == 0


def test_a_generator_draws_the_same() -> None:
    network = used(MedXGAN(MedXGANConfig(size=16, anatomy=4, pathology=2, channels={4: 8, 8: 8})))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    quick = folded(network)
    codes = torch.randn(5, 4), torch.randn(5, 2)
    assert torch.allclose(network.decode(*codes), quick.decode(*codes), atol=1e-5)
    assert norms(quick) < norms(network)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_there_may_be_nothing_to_fold(training: bool) -> None:
    plain = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()).train(training)
    assert folded(plain) is plain
    learning = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    assert folded(learning) is learning
