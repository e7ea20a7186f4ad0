"""medXGAN as an engine: realisations towards both classes, their ranking, the accumulated change, what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier, target_margin
from cfcore.engines.medxgan import MedXGANConfig, MedXGANEngine
from cfcore.generators.medxgan import MedXGAN
from cfcore.generators.medxgan import MedXGANConfig as Networks
from cfcore.generators.stylex import StylEx

CONFIG = MedXGANConfig(steps=600, realisations=3)


class Planted(MedXGAN):
    """z1 is a ramp, z2 brightness: 0.4 and a step of 0.2 |z2|, so a picture is bright where |z2| exceeds 0.5."""

    def __init__(self) -> None:
        super().__init__(Networks(size=16, anatomy=1, pathology=1, channels={4: 4, 8: 4}, encoder=False))

    def decode(self, z1: Tensor, z2: Tensor) -> Tensor:
        ramp = torch.linspace(-0.05, 0.05, 16).view(1, 1, 1, 16)
        flat = 0.4 + 0.2 * z2.abs()[:, :, None, None] + z1[:, :, None, None] * ramp
        return flat.expand(-1, 1, 16, 16)


class Colour(Classifier):
    """Takes three channels."""

    class_names, channels, size = ("dark", "bright"), 3, (16, 16)

    def logits(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))[:, :2]


@pytest.fixture
def bright() -> Tensor:
    return Planted().decode(torch.tensor([[1.0], [-2.0]]), torch.tensor([[1.5], [-2.0]]))


@pytest.fixture
def dark() -> Tensor:
    return Planted().decode(torch.tensor([[1.0], [0.5], [-1.0]]), torch.zeros(3, 1))


def test_the_negative_realisation_keeps_the_anatomy(classifier: Classifier, bright: Tensor) -> None:
    engine = MedXGANEngine.fit(classifier, bright, 0, CONFIG, generator=Planted())
    (only,) = engine.directions()
    assert (only.name, only.kept, only.explained) == ("negative", True, 1.0)
    found = engine.explain(bright, 0)
    assert found.flipped.all() and found.direction == (only.name,) * 2
    wanted = Planted().decode(torch.tensor([[1.0], [-2.0]]), torch.zeros(2, 1))
    assert torch.allclose(found.reconstruction, bright, atol=0.01)
    assert torch.allclose(found.counterfactual, wanted, atol=0.01)


def test_positive_realisations_are_ranked_and_walked_in_order(classifier: Classifier, dark: Tensor) -> None:
    engine = MedXGANEngine.fit(classifier, dark, 1, CONFIG, generator=Planted())
    found = engine.directions()
    assert len(found) == 3 and sorted(found, key=lambda d: -d.mean_change) == list(found)
    strongest = engine.pathologies.abs().argmax().item()
    assert found[0].name == f"positive {strongest + 1}"
    assert found[0].mean_change == pytest.approx(40 * 0.2 * engine.pathologies.abs().max().item(), rel=1e-3)
    out = engine.explain(dark, 1)
    assert out.flipped.all() == (found[0].explained == 1.0)
    assert set(out.direction) <= {entry.name for entry in found} | {None}


def test_an_image_that_no_realisation_flips_says_so(classifier: Classifier, dark: Tensor) -> None:
    engine = MedXGANEngine(classifier, Planted(), CONFIG)
    engine.pathologies.fill_(0.1)
    out = engine.explain(dark, 1)
    assert not out.flipped.any() and out.direction == (None,) * 3
    assert out.strength.isnan().all() and (out.tried == 3).all()


def test_the_traversal_goes_from_the_image_to_its_realisation(classifier: Classifier, bright: Tensor) -> None:
    engine = MedXGANEngine.fit(classifier, bright, 0, CONFIG, generator=Planted())
    p = engine.probabilities_along(bright, 0, torch.linspace(0, 1, 11), rendering="plain")
    assert (p.diff(dim=1) >= -1e-6).all() and (p[:, 0] < 0.5).all() and (p[:, -1] > 0.5).all()


def test_the_attribution_accumulates_the_change(classifier: Classifier, bright: Tensor) -> None:
    engine = MedXGANEngine.fit(classifier, bright, 0, CONFIG, generator=Planted())
    found = engine.attribution(engine.encode(bright, 0), bright, 0)
    assert torch.allclose(found, torch.tensor([0.3, 0.4]).view(2, 1, 1, 1).expand_as(found), atol=0.01)


class Counting(Planted):
    """`searched`: pictures that searches have asked gradients of, of it or of its copies."""

    searched = 0

    def decode(self, z1: Tensor, z2: Tensor) -> Tensor:
        Counting.searched += len(z1) if z1.requires_grad else 0
        return super().decode(z1, z2)


def test_an_inversion_is_made_once(classifier: Classifier, bright: Tensor) -> None:
    generator = Counting()
    engine = MedXGANEngine.fit(classifier, bright, 0, CONFIG, generator=generator)
    codes, searched = engine.encode(bright, 0), Counting.searched
    assert torch.equal(engine.encode(bright.flip(0), 0), codes.flip(0)) and Counting.searched == searched > 0


def test_engines_that_search_alike_share_what_they_found(classifier: Classifier, bright: Tensor) -> None:
    generator = Counting()
    codes = MedXGANEngine(classifier, generator, CONFIG).encode(bright, 0)
    searched = Counting.searched
    again = MedXGANEngine.fit(classifier, bright, 0, replace(CONFIG, realisations=5), generator=generator)
    assert torch.equal(again.encode(bright, 0), codes) and Counting.searched == searched
    MedXGANEngine(classifier, generator, replace(CONFIG, seed=1)).encode(bright, 0)
    assert Counting.searched > searched, "another search"
    searched = Counting.searched
    with torch.no_grad():
        next(generator.parameters()).add_(1)
    MedXGANEngine(classifier, generator, CONFIG).encode(bright, 0)
    assert Counting.searched > searched, "another network"


def test_it_comes_back_from_disk(classifier: Classifier, dark: Tensor, tmp_path: Path) -> None:
    engine = MedXGANEngine.fit(classifier, dark, 1, CONFIG, generator=Planted())
    engine.save(tmp_path)
    again = MedXGANEngine.load(tmp_path, classifier, generator=Planted())
    assert again.directions() == engine.directions() and again.config == engine.config
    assert torch.equal(again.explain(dark, 1).counterfactual, engine.explain(dark, 1).counterfactual)


def test_what_is_refused(classifier: Classifier, bright: Tensor, stylex: StylEx) -> None:
    with pytest.raises(ValueError, match="needs a trained medXGAN generator"):
        MedXGANEngine.fit(classifier, bright, 0, CONFIG, generator=stylex)
    with pytest.raises(ValueError, match="'bright' for the classifier already"):
        MedXGANEngine.fit(classifier, bright, 1, CONFIG, generator=Planted())
    with pytest.raises(ValueError, match="at least one image"):
        MedXGANEngine.fit(classifier, bright[:0], 0, CONFIG, generator=Planted())
    with pytest.raises(ValueError, match="no direction 'v1 \\+' towards this class; there are negative"):
        MedXGANEngine(classifier, Planted(), CONFIG).move(bright, 0, direction="v1 +", degree=1.0)
    with pytest.raises(ValueError, match=r"draws 1 channel\(s\) .*, the classifier takes 3 of .*: choose the pair"):
        MedXGANEngine(Colour(), Planted(), CONFIG)
    with pytest.raises(ValueError, match="realisations is 0"):
        MedXGANConfig(realisations=0)


def test_margins_rise_towards_the_target(classifier: Classifier, bright: Tensor) -> None:
    engine = MedXGANEngine.fit(classifier, bright, 0, CONFIG, generator=Planted())
    moved = engine.move(bright, 0, degree=0.5, rendering="plain")
    before = target_margin(classifier.logits(moved.reconstruction), 0)
    assert (target_margin(classifier.logits(moved.counterfactual), 0) > before).all()
