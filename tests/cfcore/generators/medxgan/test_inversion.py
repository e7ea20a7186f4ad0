"""The search of latents: a known one is found, starts do not disturb each other, and each ends on its own plateau."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.generators.medxgan import MedXGAN
from cfcore.generators.medxgan.inversion import Search, invert

LETTER = Search(steps=400, patience=0, keep_negative=False)


@pytest.fixture
def known(generator: MedXGAN) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(1)
    return torch.randn(3, 4, generator=drawn), torch.randn(3, 2, generator=drawn)


def test_a_known_latent_is_recovered(generator: MedXGAN, classifier: Classifier, known: tuple[Tensor, Tensor]) -> None:
    images = generator.decode(*known)
    found = invert(generator, classifier, images, Search(steps=1500, restarts=4, keep_negative=False))
    assert found.mse[:, 0].max() < 1e-5
    assert torch.allclose(torch.cat(found.best, dim=1), torch.cat(known, dim=1), atol=0.05)
    assert (found.loss.diff(dim=1) >= 0).all()


def test_starts_do_not_disturb_each_other(
    generator: MedXGAN, classifier: Classifier, known: tuple[Tensor, Tensor]
) -> None:
    images = generator.decode(*known)
    together = invert(generator, classifier, images, Search(steps=20, restarts=2, patience=5))
    for i in range(3):
        alone = invert(generator, classifier, images[i : i + 1], Search(steps=20, restarts=2, patience=5))
        assert torch.allclose(alone.z1[0], together.z1[i], atol=1e-3)


def test_patience_ends_each_start_by_itself(
    generator: MedXGAN, classifier: Classifier, known: tuple[Tensor, Tensor]
) -> None:
    images = generator.decode(*known)
    found = invert(generator, classifier, images, Search(steps=3000, restarts=4, keep_negative=False))
    assert found.steps.max() < 3000 and len(found.steps.unique()) > 1
    fixed = invert(generator, classifier, images, LETTER)
    assert (fixed.steps == 400).all()


def test_negative_images_keep_no_pathology(generator: MedXGAN, classifier: Classifier) -> None:
    images = torch.stack([torch.full((1, 16, 16), 0.3), torch.full((1, 16, 16), 0.7)])
    found = invert(generator, classifier, images, Search(steps=30))
    assert (found.z2[0] == 0).all() and (found.z2[1] != 0).all()
    free = invert(generator, classifier, images, Search(steps=30, keep_negative=False))
    assert (free.z2 != 0).all()


def test_a_warm_start_begins_at_the_encoder(generator: MedXGAN, classifier: Classifier, images: Tensor) -> None:
    found = invert(generator, classifier, images, Search(steps=1, warm=True, keep_negative=False))
    assert torch.equal(found.z1[:, 0], generator.encode(images)[0])
    again = invert(generator, classifier, images, Search(steps=1, warm=True, keep_negative=False))
    assert torch.equal(found.z1, again.z1)


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 3, 16, 16), (2, 1, 16)])
def test_images_of_another_size_are_refused(
    shape: tuple[int, ...], warm: bool, generator: MedXGAN, classifier: Classifier
) -> None:
    with pytest.raises(ValueError, match=r"draws images \(n, 1, 16, 16\), these are \(2, .*: resize them"):
        invert(generator, classifier, torch.zeros(shape), Search(steps=1, warm=warm))


@pytest.mark.parametrize("wrong", [{"steps": -1}, {"restarts": 0}, {"rate": 0.0}, {"patience": -1}])
def test_searches_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="choose"):
        Search(**wrong)  # type: ignore[arg-type]
