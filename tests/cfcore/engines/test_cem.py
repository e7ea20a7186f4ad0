"""Pertinent negatives on a linear classifier, whose least change has a closed form; additions only; honest failures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.cem import CEM, CEMConfig
from cfcore.engines.cem.search import excess, pertinent_negatives
from cfcore.generators.vae import VAE, VAEConfig

BETA = 0.1


def least_change(linear: Classifier, image: Tensor, add: bool, kappa: float) -> Tensor:
    """argmin beta |d|_1 + |d|_2^2 subject to w.d = kappa - margin and 0 <= x + d <= 1.

    Stationarity gives d = S_beta(mu w) / 2, cut to the box; mu by bisection, since w.d grows with it.
    """
    (w,) = (value.detach() for name, value in linear.named_parameters() if name == "w")
    w, x = w.double(), image.flatten().double()
    needed = kappa - float(excess(linear.logits(image[None]), 1))

    def change(mu: float) -> Tensor:
        d = (mu * w).sign() * ((mu * w).abs() - BETA).clamp(min=0) / 2
        d = d.clamp(min=0) if add else d
        return (x + d).clamp(0, 1) - x

    low, high = 0.0, 100.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if float(w @ change(middle)) < needed else (low, middle)
    return change(high).view_as(image)


@pytest.mark.parametrize(("change", "kappa"), [("add", 0.0), ("any", 1.0)])
def test_it_finds_the_least_change_of_a_linear_classifier(
    linear: Classifier, low: Tensor, change: str, kappa: float
) -> None:
    linear.requires_grad_(False).eval()
    config = CEMConfig(change=change, shrink="proximal", kappa=kappa, searches=8, steps=150)  # type: ignore[arg-type]
    found, there = pertinent_negatives(linear, low, 1, config)
    assert there.all()
    for image, moved in zip(low, found, strict=True):
        expected = least_change(linear, image, change == "add", kappa)
        own = (moved - image).double()
        nets = [float(BETA * d.abs().sum() + d.square().sum()) for d in (own, expected)]
        assert nets[0] == pytest.approx(nets[1], rel=0.01) and nets[0] > 0
        assert (own - expected).abs().max() < 0.01
    assert (found < low - 1e-3).any() == (change == "any"), "negative weights are met by darker pixels"


def test_only_additions_and_a_margin(linear: Classifier, low: Tensor) -> None:
    engine = CEM(linear, CEMConfig(kappa=0.5, searches=4, steps=150))
    found = engine.explain(low, 1, rendering="plain")
    assert (found.counterfactual >= low - 1e-7).all()
    assert (excess(engine.judge(found.counterfactual), 1) >= 0.5 - 1e-4).all()
    changed = (found.counterfactual - low).abs() > 1e-6
    assert 0 < changed.float().mean() < 0.5, "the L1 term leaves most pixels alone"


def test_what_cannot_be_reached_by_adding_fails(classifier: Classifier) -> None:
    """Brightness alone tells the classes apart: nothing that is added makes an image dark."""
    bright = 0.7 + 0.1 * torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    engine = CEM(classifier, CEMConfig(searches=5, steps=50))
    found = engine.explain(bright, 0, rendering="plain")
    assert found.direction == (None,) * 3 and found.strength.isnan().all() and not found.flipped.any()
    assert torch.equal(found.counterfactual, bright), "the best that was tried"
    either = CEM(classifier, CEMConfig(change="any", searches=5, steps=50)).explain(bright, 0, rendering="plain")
    assert either.flipped.all() and either.direction == ("CEM",) * 3


def test_some_of_a_batch_may_fail(linear: Classifier, low: Tensor) -> None:
    config = CEMConfig(weight=0.2, searches=1, steps=100)
    found, there = pertinent_negatives(linear.eval(), low, 1, config)
    alone = [pertinent_negatives(linear, image[None], 1, config) for image in low]
    assert there.tolist() == [bool(one[1]) for one in alone]
    assert torch.allclose(found, torch.cat([one[0] for one in alone]), atol=1e-5)


def test_an_autoencoder_keeps_the_change_where_it_draws(linear: Classifier, low: Tensor) -> None:
    """One that draws the left half as it is and the right half at 0.3: changes on the right are dear."""

    def half(images: Tensor) -> Tensor:
        return torch.cat([images[..., :4], torch.full_like(images[..., 4:], 0.3)], dim=3)

    right = []
    for gamma in (0.0, 20.0):
        config = CEMConfig(change="any", shrink="proximal", gamma=gamma, searches=4, steps=100)
        found, there = pertinent_negatives(linear.eval(), low, 1, config, autoencoder=half)
        assert there.all()
        right.append((found[..., 4:] - 0.3).square().mean())
    assert right[1] < right[0] / 2


def test_a_vae_is_the_engines_autoencoder(linear: Classifier, low: Tensor) -> None:
    class Grey(VAE):
        """Draws nothing but grey: every change away from 0.3 is dear."""

        def encode(self, images: Tensor) -> Tensor:
            return images.flatten(1)[:, :2]

        def decode(self, z: Tensor) -> Tensor:
            return torch.full((len(z), 1, 8, 8), 0.3, device=z.device)

    vae = Grey(VAEConfig(size=16, latent=2, width=4)).requires_grad_(False)
    moved = {}
    for gamma in (0.0, 50.0):
        config = CEMConfig(change="any", gamma=gamma, searches=3, steps=60)
        moved[gamma] = CEM(linear, config, vae).move(low, 1, degree=1.0, rendering="plain").counterfactual
    assert (moved[50.0] - 0.3).square().sum() < (moved[0.0] - 0.3).square().sum()
    for wrong, name in ((None, "none"), (torch.nn.Linear(1, 1), "Linear")):
        with pytest.raises(ValueError, match=f"gamma 1 needs a VAE as generator, not {name}"):
            CEM(linear, CEMConfig(gamma=1.0), wrong)


def test_the_margin_is_against_the_best_other() -> None:
    assert excess(torch.tensor([[1.0, 4.0, 2.5]]), 1).tolist() == [1.5]
    assert excess(torch.tensor([[1.0, 4.0, 2.5]]), 0).tolist() == [-3.0]


def test_numbers_that_cannot_be_are_refused() -> None:
    for wrong, message in (
        ({"change": "remove"}, "no change 'remove'; choose one of: add, any"),
        ({"shrink": "none"}, "no shrink 'none'"),
        ({"kappa": -1.0}, "kappa is -1: choose at least 0"),
        ({"beta": -0.1}, "beta is -0.1"),
        ({"searches": 0}, "searches is 0: choose at least 1"),
        ({"steps": 1}, "steps is 1: choose at least 2"),
        ({"rate": 0.0}, "rate is 0: choose a number above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            CEMConfig(**wrong)  # type: ignore[arg-type]
