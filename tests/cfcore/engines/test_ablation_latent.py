"""Ablation by what a medXGAN generator changes: the planted sign and nothing else is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier, target_margin
from cfcore.engines.ablation import (
    Ablation,
    Difference,
    DifferenceConfig,
    GradCam,
    GradCamConfig,
    LatentIntegratedGradients,
    LIGConfig,
)
from cfcore.engines.medxgan import MedXGANEngine
from cfcore.generators.medxgan import MedXGAN, MedXGANConfig

SIDE = 16
CLEAR, SPOT = 0, 1
STEPS = 80


class Sums(Classifier):
    """ "Spot" by the brightness of the 4 x 4 px in the middle, bent by a softplus."""

    class_names = ("Clear", "Spot")
    channels = 1
    size = (SIDE, SIDE)

    def logits(self, images: Tensor) -> Tensor:
        logit = 2 * nn.functional.softplus(10 * (images[:, :, 6:10, 6:10].mean(dim=(1, 2, 3)) - 0.4)) - 3
        return torch.stack([torch.zeros_like(logit), logit], dim=1)


class Planted(MedXGAN):
    """z1 is a ramp, |z2| the brightness of 4 x 5 px around the middle."""

    def __init__(self) -> None:
        super().__init__(MedXGANConfig(size=SIDE, anatomy=1, pathology=1, channels={4: 4, 8: 4}, encoder=False))

    searched = 0  # pictures that inversions asked gradients of, of it or of its copies

    def decode(self, z1: Tensor, z2: Tensor) -> Tensor:
        Planted.searched += len(z1) if z1.requires_grad else 0
        ramp = torch.linspace(-0.05, 0.05, SIDE).view(1, 1, 1, SIDE)
        spot = torch.zeros(1, 1, SIDE, SIDE)
        spot[:, :, 6:10, 6:11] = 0.7
        return 0.2 + z1[:, :, None, None] * ramp + (z2.square()[:, :, None, None] / 4).tanh() * spot


@pytest.fixture
def bright() -> Tensor:
    return Planted().decode(torch.tensor([[1.0], [-2.0], [0.3]]), torch.tensor([[3.0], [-3.5], [4.0]]))


CASES = [
    (Difference, DifferenceConfig(search=STEPS)),
    (LatentIntegratedGradients, LIGConfig(search=STEPS)),
    (LatentIntegratedGradients, LIGConfig(search=STEPS, form="path", steps=64)),
    (LatentIntegratedGradients, LIGConfig(search=STEPS, form="pixels")),
]


@pytest.fixture(params=CASES, ids=["difference", "lig", "lig path", "pixels"])
def engine(request: pytest.FixtureRequest, bright: Tensor) -> Ablation:
    kind, config = request.param
    return kind.fit(Sums(), bright, CLEAR, config, generator=Planted())


def test_the_map_is_what_the_realisations_differ_in(engine: Ablation, bright: Tensor) -> None:
    found = engine.attribution(engine.encode(bright, CLEAR), bright, CLEAR)
    spot = torch.zeros_like(bright, dtype=torch.bool)
    spot[:, :, 6:10, 6:11] = True
    assert found.shape == bright.shape and found[~spot].abs().max() < 1e-6
    seen = spot.clone()
    seen[:, :, :, 10] = False
    if isinstance(engine, Difference):
        assert not engine.signed_attribution and found[spot].min() > 0.5, "seen by the classifier or not"
    else:
        assert engine.signed_attribution and found[seen].min() > 0.01
        assert found[spot & ~seen].abs().max() < 1e-6, "the classifier does not look there"


def test_only_the_path_adds_up_to_the_change_of_the_logit(bright: Tensor) -> None:
    sums, config = {}, DifferenceConfig(search=STEPS)
    for form in ("published", "path"):
        lig = LatentIntegratedGradients.fit(
            Sums(), bright, CLEAR, LIGConfig(search=STEPS, form=form, steps=64), generator=Planted()
        )
        sums[form] = lig.encode(bright, CLEAR).sum(dim=1)
    medxgan = Difference.fit(Sums(), bright, CLEAR, config, generator=Planted()).medxgan
    ends = [
        target_margin(Sums().logits(medxgan.draw(medxgan.encode(bright, CLEAR), bright, moves, CLEAR)), SPOT)
        for moves in ({}, {None: torch.ones(3)})
    ]
    change = ends[0] - ends[1]
    assert ((sums["path"] - change).abs() < 0.01 * change).all()
    assert ((sums["published"] - change).abs() > 0.02 * change).any()


def test_all_maps_of_an_image_take_one_inversion(bright: Tensor) -> None:
    classifier, generator = Sums(), Planted()
    medxgan = MedXGANEngine.fit(
        classifier, bright, CLEAR, DifferenceConfig(search=STEPS).inversion, generator=generator
    )
    searched = Planted.searched
    for kind, config in CASES:
        engine = kind.fit(classifier, bright, CLEAR, config, generator=generator)
        assert torch.equal(engine.medxgan.encode(bright, CLEAR), medxgan.encode(bright, CLEAR))
    assert Planted.searched == searched > 0
    Difference.fit(classifier, bright, CLEAR, DifferenceConfig(search=STEPS, restarts=2), generator=generator)
    assert Planted.searched > searched


def test_the_baseline_may_be_the_realisation_of_the_other_class(bright: Tensor) -> None:
    config = LIGConfig(search=STEPS, form="pixels")
    ig = LatentIntegratedGradients.fit(Sums(), bright, CLEAR, config, generator=Planted())
    start = ig.medxgan.draw(ig.medxgan.encode(bright, CLEAR), bright, {None: torch.ones(3)}, CLEAR)
    change = target_margin(Sums().logits(bright), SPOT) - target_margin(Sums().logits(start), SPOT)
    assert torch.allclose(ig.encode(bright, CLEAR).sum(dim=1), change, rtol=0.01)


def test_replacing_the_sign_flips_the_class(engine: Ablation, bright: Tensor) -> None:
    shown = engine.explain(bright, CLEAR, rendering="plain")
    assert shown.flipped.all() and set(shown.direction) == {engine.directions()[0].name}
    assert torch.equal(shown.reconstruction, bright), "the picture is the image, not what the generator draws"
    moved = engine.move(bright, CLEAR, direction="black", degree=5.0, rendering="plain")
    assert ((moved.counterfactual != bright).flatten(1).sum(dim=1) == round(0.05 * SIDE * SIDE)).all()


def test_towards_the_positive_class_there_is_a_map_too(engine: Ablation) -> None:
    dark = Planted().decode(torch.tensor([[1.0], [-2.0]]), torch.zeros(2, 1))
    kind = type(engine)
    again = kind.fit(Sums(), dark, SPOT, engine.config, generator=Planted())
    assert again.attribution(again.encode(dark, SPOT), dark, SPOT).abs().amax(dim=(1, 2, 3)).min() > 0.001


def test_a_stored_engine_does_the_same(engine: Ablation, bright: Tensor, tmp_path: Path) -> None:
    engine.save(tmp_path)
    again = type(engine).load(tmp_path, engine.classifier, generator=Planted())
    assert again.directions() == engine.directions() and again.config == engine.config
    assert torch.equal(again.encode(bright, CLEAR), engine.encode(bright, CLEAR))


def test_what_makes_no_sense_is_refused(bright: Tensor, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a trained medXGAN generator"):
        Difference.fit(Sums(), bright, CLEAR, DifferenceConfig())
    with pytest.raises(TypeError, match="Sums tells no convolutional layer"):
        GradCam.fit(Sums(), bright, CLEAR, GradCamConfig())
    for config, message in (
        ({"form": "curved"}, "no form 'curved'; choose one of: published, path, pixels"),
        ({"steps": 0}, "steps is 0"),
        ({"restarts": 0}, "restarts is 0"),
        ({"degree": 0}, "degree is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            LIGConfig(**config)  # type: ignore[arg-type]
