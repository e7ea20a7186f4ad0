"""Drawn patients: both classes, or at the boundary, and a generator that cannot."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.generators.medxgan import MedXGAN, MedXGANConfig
from cfcore.generators.sampling import Sampler, balanced, near_boundary, sampler_of
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.generators.vae import VAE, VAEConfig
from cfcore.training.weights import freeze


class Light(Classifier):
    """Two classes by mean brightness, p = 0.5 at 0.5."""

    class_names = ("dark", "light")
    channels = 1
    size = (16, 16)

    def logits(self, images: Tensor) -> Tensor:
        margin = 20 * (images.mean(dim=(1, 2, 3)) - 0.5)
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


class Lamps(Sampler):
    """Patients with a lamp of their own strength: 0.2 without, 0.2 + strength with it."""

    def __init__(self, weakest: float = 0.5) -> None:
        self.weakest, self.asked = weakest, 0

    def patients(self, n: int, generator: torch.Generator) -> Tensor:
        self.asked += n
        return self.weakest + 0.3 * torch.rand(n, 1, generator=generator)

    def draw(self, patients: Tensor, share: Tensor) -> Tensor:
        return (0.2 + share * patients[:, 0])[:, None, None, None].expand(-1, 1, 16, 16)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_half_of_each_class() -> None:
    found = balanced(Lamps(), Light(), 10, seeded())
    assert found.labels.tolist() == [0, 1] * 5 and found.images.shape == (10, 1, 16, 16)
    assert ((found.probability > 0.5).long() == found.labels).all() and found.tried == 10
    again = balanced(Lamps(), Light(), 10, seeded())
    assert torch.equal(again.images, found.images)


def test_drawings_that_the_classifier_sees_otherwise_are_drawn_again() -> None:
    """A lamp below 0.3 does not make the picture light; some of these do."""
    found = balanced(Lamps(weakest=0.1), Light(), 40, seeded())
    assert found.tried > 45 and (found.images[1::2].mean(dim=(1, 2, 3)) > 0.5).all()


def test_samples_lie_at_the_boundary_on_both_sides() -> None:
    found = near_boundary(Lamps(), Light(), 12, seeded())
    p = Light()(found.images).softmax(dim=1)[:, 1]
    assert torch.allclose(p, found.probability) and p[0::2].tolist() == pytest.approx([0.45] * 6, abs=1e-3)
    assert p[1::2].tolist() == pytest.approx([0.55] * 6, abs=1e-3) and found.labels.tolist() == [0, 1] * 6


class Switch(Lamps):
    """A lamp that is on or off: nothing lies between."""

    def draw(self, patients: Tensor, share: Tensor) -> Tensor:
        return super().draw(patients, (share > 0.3).float())


def test_what_cannot_be_had_is_said() -> None:
    with pytest.raises(ValueError, match=r"0 comes to lie at the boundary, 4 are wanted"):
        near_boundary(Switch(), Light(), 4, seeded())
    with pytest.raises(ValueError, match="2 has the class that it was drawn as, 4 are wanted: ask for fewer"):
        balanced(Lamps(weakest=-0.4), Light(), 4, seeded())
    with pytest.raises(ValueError, match="n is 1"):
        balanced(Lamps(), Light(), 1, seeded())
    with pytest.raises(ValueError, match="Linear changes images and makes up no patients: choose a medXGAN, a St"):
        sampler_of(nn.Linear(1, 1))


def test_medxgan_draws_its_negative_and_positive_realisations() -> None:
    model = MedXGAN(MedXGANConfig(size=16, anatomy=4, pathology=2, channels={4: 8, 8: 8}))
    freeze(model)
    sampler = sampler_of(model)
    people = sampler.patients(3, seeded())
    z1, z2 = people[:, :4], people[:, 4:]
    share = torch.tensor([0.0, 1.0, 0.5])
    assert torch.equal(sampler.draw(people, share), model.decode(z1, share[:, None] * z2))


def test_stylex_draws_both_classes_of_one_patient() -> None:
    torch.manual_seed(1)
    small = {4: 4, 8: 4, 16: 4}
    model = StylEx(StylExConfig(size=16, width=8, condition=2, channels=small, critic_channels=small))
    freeze(model)
    sampler = sampler_of(model)
    people = sampler.patients(2, seeded())
    for label in (0, 1):
        classes = torch.full((2,), label)
        known = model.decode(model.sample(people, classes), classes)
        assert torch.allclose(sampler.draw(people, classes.float()), known, atol=1e-6)
    model = StylEx(StylExConfig(size=16, width=8, condition=2, classes=3, channels=small, critic_channels=small))
    with pytest.raises(ValueError, match="knows 3 classes"):
        sampler_of(model)


def test_a_vae_draws_the_line_between_two_codes() -> None:
    torch.manual_seed(2)
    model = VAE(VAEConfig(size=28, latent=4, width=16))
    freeze(model)
    sampler = sampler_of(model)
    people = sampler.patients(3, seeded())
    share = torch.tensor([0.0, 1.0, 0.5])
    ends = people[:, :4], people[:, 4:]
    codes = torch.stack([ends[0][0], ends[1][1], (ends[0][2] + ends[1][2]) / 2])
    assert torch.allclose(sampler.draw(people, share), model.decode(codes), atol=1e-6)
    with pytest.raises(ValueError, match="draws 3 channels: sampling takes one of grey images"):
        sampler_of(VAE(VAEConfig(size=28, latent=4, width=16, channels=3)))
