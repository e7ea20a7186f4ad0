"""REVISE on a latent that can be worked out by hand: z is brightness, C calls z above 0 bright."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.revise import Revise, ReviseConfig
from cfcore.generators.vae import VAE, VAEConfig
from tests.cfcore.conftest import BrightnessClassifier

NEAR = ReviseConfig(weight=0.0, patience=0)


class Planted(VAE):
    """G(z) = 0.5 + 0.1 z everywhere, E its inverse; C's logit is 4 z."""

    def __init__(self) -> None:
        super().__init__(VAEConfig(size=16, latent=1, width=8))

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        z = 10 * (images.mean(dim=(1, 2, 3), keepdim=True)[:, :, 0, 0] - 0.5)
        return z, torch.zeros_like(z)

    def decode(self, z: Tensor) -> Tensor:
        return (0.5 + 0.1 * z)[:, :, None, None].expand(-1, 1, 16, 16)


@pytest.fixture
def dark() -> Tensor:
    """z of -2, -1 and -0.5."""
    return Planted().decode(torch.tensor([[-2.0], [-1.0], [-0.5]])).contiguous()


def searched(config: ReviseConfig, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """z at the begin and at the end, and whether a flip was found."""
    codes = Revise(BrightnessClassifier(), config, Planted()).encode(images, 1)
    return codes[:, 0], codes[:, 1], codes[:, 2] > 0.5


def test_it_stops_just_over_the_boundary(dark: Tensor) -> None:
    begin, end, found = searched(NEAR, dark)
    assert found.all() and torch.allclose(begin, torch.tensor([-2.0, -1.0, -0.5]), atol=1e-5)
    assert ((end > 0) & (end <= 0.11)).all(), "Adam's first steps are of the rate's size"
    engine = Revise(BrightnessClassifier(), NEAR, Planted())
    out = engine.explain(dark, 1, rendering="plain")
    assert out.flipped.all() and out.direction == ("REVISE",) * 3 and (out.strength == 1).all()
    assert torch.allclose(out.counterfactual.mean(dim=(1, 2, 3)), 0.5 + 0.1 * end, atol=1e-5)


def test_of_all_flips_the_nearest_is_kept(dark: Tensor) -> None:
    """The cross-entropy goes on to push; what is kept is the first flip, the nearest."""
    _, first, _ = searched(NEAR, dark)
    _, kept, found = searched(ReviseConfig(weight=0.0, patience=30), dark)
    assert found.all() and torch.equal(first, kept)


def test_the_distance_brings_an_overshot_flip_back_while_it_waits(dark: Tensor) -> None:
    """Slopes 1.5 of the distance and 4 (1 - p) of the cross-entropy balance at z = 0.13, within the target class."""
    first, later = (ReviseConfig(weight=15.0, distance="mean", rate=0.3, patience=p) for p in (0, 60))
    overshot, kept = searched(first, dark)[1], searched(later, dark)[1]
    assert (kept > 0).all() and (kept <= overshot).all() and (kept < overshot - 0.01).any()


def test_the_path_leads_from_the_code_over_the_boundary(dark: Tensor) -> None:
    path = Revise(BrightnessClassifier(), NEAR, Planted()).trace(dark[:1], 1)
    begin, end, _ = searched(NEAR, dark[:1])
    assert path.shape[1] == 1 and torch.allclose(path[[0, -1], 0], torch.cat([begin, end]), atol=1e-5)
    assert (path[1:] > path[:-1]).all() and (path[:-1] <= 0).all(), "it ends with the first flip"
    longer = Revise(BrightnessClassifier(), ReviseConfig(weight=0.0, patience=4), Planted()).trace(dark[:1], 1)
    assert len(longer) == len(path) + 4 and torch.equal(longer[: len(path)], path)
    with pytest.raises(ValueError, match="3 images: a trace is of one"):
        Revise(BrightnessClassifier(), NEAR, Planted()).trace(dark, 1)


def test_an_image_that_does_not_flip_fails_and_still_has_a_picture(dark: Tensor) -> None:
    engine = Revise(BrightnessClassifier(), ReviseConfig(steps=5), Planted())
    out = engine.explain(dark, 1, rendering="plain")
    assert not out.flipped.any() and out.direction == (None,) * 3 and out.strength.isnan().all()
    assert torch.isfinite(out.counterfactual).all()
    some = Revise(BrightnessClassifier(), ReviseConfig(weight=0.0, patience=0, steps=12), Planted())
    assert some.explain(dark, 1, rendering="plain").direction == (None, "REVISE", "REVISE")


def test_images_that_have_ended_are_not_looked_at_again(dark: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    decode = Planted.decode
    monkeypatch.setattr(Planted, "decode", lambda self, z: sizes.append(len(z)) or decode(self, z))
    searched(NEAR, dark)
    assert sizes[0] == 3 and sizes[-1] == 1 and sizes == sorted(sizes, reverse=True)
    assert len(sizes) < 40


def test_an_image_does_not_depend_on_its_neighbours(dark: Tensor) -> None:
    _, together, _ = searched(ReviseConfig(weight=0.1), dark)
    alone = torch.cat([searched(ReviseConfig(weight=0.1), dark[i : i + 1])[1] for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-4)


def test_the_sum_of_a_large_image_weighs_more_than_its_mean(dark: Tensor) -> None:
    """256 pixels: a slope of 0.5 * 25.6 against at most 4 holds every image where it is."""
    _, held, found = searched(ReviseConfig(weight=0.5, distance="sum", steps=100), dark)
    assert not found.any() and torch.allclose(held, torch.tensor([-2.0, -1.0, -0.5]), atol=0.01)
    assert searched(ReviseConfig(weight=0.5, distance="mean", steps=100), dark)[2].all()


def test_a_classifier_without_gradients_is_refused(dark: Tensor) -> None:
    class Blind(BrightnessClassifier):
        def logits(self, images: Tensor) -> Tensor:
            return super().logits(images.detach())

    blind: Classifier = Blind()
    with pytest.raises(TypeError, match="Blind passes no gradients, so REVISE cannot search"):
        Revise(blind, NEAR, Planted()).encode(dark, 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"weight": -1.0}, "weight is -1.0: choose at least 0"),
        ({"steps": 0}, "steps is 0: choose at least 1"),
        ({"rate": 0.0}, "rate is 0: choose a number above 0"),
        ({"distance": "median"}, "no distance 'median'; choose sum or mean"),
    ],
)
def test_numbers_that_cannot_be_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReviseConfig(**wrong)  # type: ignore[arg-type]
