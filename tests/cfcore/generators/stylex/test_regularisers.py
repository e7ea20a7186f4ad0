"""R1 and path length against derivatives of curved toys, taken by other means: finite differences, whole Jacobians."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

from cfcore.generators.stylex.losses import path_lengths, r1_penalty


class Curved(nn.Module):
    """A discriminator that bends, and that sees the label."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.inner, self.outer = nn.Linear(16, 8).double(), nn.Linear(8, 2).double()

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        return self.outer(torch.tanh(self.inner(images.flatten(1)))).gather(1, label[:, None])[:, 0]


def test_r1_of_a_curved_discriminator_equals_finite_differences() -> None:
    critic, label = Curved(), torch.tensor([0, 1, 1])
    images = torch.rand(3, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    # The paper's images lie in [-1, 1]: a step of h there is one of h / 2 here.
    h, total = 1e-5, 0.0
    for pixel in range(16):
        step = torch.zeros(16, dtype=torch.float64)
        step[pixel] = h / 2
        up, down = (critic(images + sign * step.view(1, 1, 4, 4), label) for sign in (1, -1))
        total += ((up - down) / (2 * h)).square().sum().item() / 3
    assert r1_penalty(critic, images, label).item() == pytest.approx(total, rel=1e-5)


def test_path_lengths_of_a_curved_generator_equal_its_jacobian() -> None:
    torch.manual_seed(4)
    layers = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 16)).double()
    w = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(5, 1, 4, 4, dtype=torch.float64)
    found = path_lengths(layers(w).view(-1, 1, 4, 4), w, noise)
    jacobian = vmap(jacrev(lambda row: layers(row)))(w.detach())
    expected = torch.einsum("npd,np->nd", jacobian, noise.flatten(1)).norm(dim=1) / 16**0.5
    assert torch.allclose(found, expected, rtol=1e-6)
