"""The regularisers against autograd on toys with known answers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.generators.stylex.losses import (
    classifier_terms,
    device_distance,
    discriminator_loss,
    dissimilarity,
    edge_distance,
    generator_loss,
    path_lengths,
    r1_gamma,
    r1_penalty,
    small_bright,
)


class Weighted(nn.Module):
    """D(x) = sum(a x'), x' = 2 x - 1 in [-1, 1]: the gradient with respect to x' is a, whatever x."""

    def __init__(self, a: Tensor) -> None:
        super().__init__()
        self.a = nn.Parameter(a)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        return ((2 * images - 1) * self.a).sum(dim=(1, 2, 3))


def test_r1_is_the_squared_gradient_norm_on_the_range_of_the_paper() -> None:
    a = torch.randn(1, 4, 4)
    penalty = r1_penalty(Weighted(a), torch.rand(6, 1, 4, 4), torch.zeros(6, dtype=torch.long))
    assert torch.allclose(penalty, a.square().sum())
    penalty.backward()


def test_path_length_of_a_linear_generator() -> None:
    """G(w) = A w has J^T y = A^T y: the mean squared length is |A|_F^2 / (H W)."""
    matrix = torch.randn(16, 3)
    w = torch.randn(4000, 3, requires_grad=True)
    noise = torch.randn(4000, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    lengths = path_lengths((w @ matrix.T).view(-1, 1, 4, 4), w, noise)
    assert lengths.square().mean().item() == pytest.approx((matrix.square().sum() / 16).item(), rel=0.05)


def test_gan_losses_at_zero_logits() -> None:
    zero = torch.zeros(3)
    assert generator_loss(zero).item() == pytest.approx(math.log(2))
    assert discriminator_loss(zero, zero).item() == pytest.approx(2 * math.log(2))


def test_edges_count_borders_and_no_brightness() -> None:
    flat = torch.full((1, 1, 4, 4), 0.2)
    step = flat.clone()
    step[..., 2:] = 0.8
    assert edge_distance(flat, flat + 0.5).item() == pytest.approx(0, abs=1e-7)
    assert edge_distance(flat, step).item() == pytest.approx(0.6 / 3)
    assert edge_distance(flat, step.transpose(2, 3)).item() == pytest.approx(0.6 / 3)


def test_gamma_follows_the_resolution() -> None:
    assert r1_gamma(256, 32) == 10
    assert r1_gamma(64, 16) == pytest.approx(0.0512)


def test_classifier_terms_vanish_for_a_perfect_reconstruction(classifier: Classifier, images: Tensor) -> None:
    kl, _ = classifier_terms(classifier, images, images.clone(), perceptual=True)
    assert kl.item() == pytest.approx(0.0, abs=1e-7)
    worse, _ = classifier_terms(classifier, images, (images + 0.3).clamp(0, 1), perceptual=False)
    assert worse.item() > 0.1


def test_small_bright_structures_are_found_and_large_ones_are_not() -> None:
    image = torch.full((1, 1, 24, 24), 0.3)
    image[..., 4:14, 4:14] = 0.9
    image[..., 18:21, 18:21] = 0.8
    weight = small_bright(image)
    assert weight[0, 0, 19, 19].item() == pytest.approx(0.8 - 0.3 - 0.15)
    weight[..., 18:21, 18:21] = 0
    assert weight.max() == 0


def test_a_lost_device_costs_and_other_differences_do_not() -> None:
    image = torch.full((1, 1, 24, 24), 0.3)
    image[..., 18:21, 18:21] = 0.8
    without, darker = torch.full_like(image, 0.3), image.clone()
    darker[..., :10, :] -= 0.2
    assert device_distance(without, image).item() == pytest.approx(9 * 0.5 * 0.35 / 576, rel=1e-5)
    assert device_distance(darker, image) == 0


def test_dissimilarity_is_none_of_an_image_with_itself() -> None:
    image = torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    assert dissimilarity(image, image).item() == pytest.approx(0, abs=1e-5)
    assert 0 < dissimilarity(image, (image + 0.3).clamp(0, 1)) < dissimilarity(image, 1 - image)
