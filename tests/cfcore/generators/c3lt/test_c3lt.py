"""C3LT: the transformation, proximity, what it learns in a VAE's latent, how it is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cfcore.classifiers.base import Classifier
from cfcore.generators.c3lt import C3LT, C3LTConfig, load_c3lt, save_c3lt
from cfcore.generators.c3lt.training import RECIPES, C3LTTask, C3LTTraining, proximity, quality
from cfcore.generators.vae import VAE, VAEConfig
from cfcore.generators.vae.training import L1, VAETask
from tests.cfcore.conftest import BrightnessClassifier
from tests.cfcore.generators.trained import same, trained, untouched
from tests.cfcore.thirds import Thirds, floats, pictures

LATENT = VAEConfig(size=16, latent=4, width=16)
SMALL = C3LTConfig(LATENT, classes=3, hidden=64)


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> VAE:
    settings = replace(L1, rate=5e-3, half_life=100.0, warm_up=30)
    task = trained(lambda g, end: VAETask(VAE(LATENT), settings, g, end), tmp_path_factory.mktemp("vae"), 120)
    return task.average


def fitted(vae: VAE, folder: Path, *iterations: int, classifier: Classifier | None = None, **losses: float) -> C3LTTask:
    settings = replace(RECIPES["paper"], rate=2e-2, **losses)  # type: ignore[arg-type]
    own = classifier or Thirds()
    return trained(lambda g, end: C3LTTask(C3LT(SMALL, vae), own, settings, g, end), folder, *iterations)


@pytest.mark.parametrize("losses", [{}, {"class_every": 2}, {"adversarial_weight": 0.1}], ids=["paper", "short", "gan"])
def test_every_class_is_reached_from_every_other(losses: dict[str, float], vae: VAE, tmp_path: Path) -> None:
    before = {name: tensor.clone() for name, tensor in vae.state_dict().items()}
    task = fitted(vae, tmp_path, 100, **losses)
    images, _ = pictures()
    found = quality(task.average, Thirds(), images)
    assert found["validity"] > 0.95 and found["agreement"] == 1.0 and found["l1_moved"] < 0.45, found
    assert all(torch.equal(before[name], tensor) for name, tensor in task.average.vae.state_dict().items())
    assert task.held_out() is None
    task.held_out_images = images
    assert task.held_out() == pytest.approx(1 - found["validity"] + found["l1_moved"])
    picture = task.picture()
    assert picture is not None and picture.shape == (4 * 16, 8 * 16)


def test_a_move_keeps_the_length_of_the_latent_and_stays_within_its_class(vae: VAE) -> None:
    torch.manual_seed(0)
    model, z = C3LT(replace(SMALL, steps=3), vae), torch.randn(6, 4)
    source = torch.arange(6) % 3
    moved = model.move(z, source, (source + 1) % 3)
    assert torch.allclose(moved.norm(dim=1), z.norm(dim=1)) and not torch.allclose(moved, z)
    assert torch.equal(model.move(z, source, source), z)


def test_proximity_by_hand() -> None:
    images, other = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    other[..., 2:] = 0.5
    # |x - x'| = 0.25; the mask is 0 and 1, with one of three steps to the right.
    assert proximity(images, other).item() == pytest.approx((0.25 + 10 * (1 / 3) / 2) / 12)
    assert proximity(images, images).item() == 0.0


def test_a_classifier_without_features_is_compared_in_pixels(vae: VAE) -> None:
    two = C3LT(replace(SMALL, classes=2), vae)
    task = C3LTTask(two, BrightnessClassifier(), C3LTTraining(), torch.Generator())
    assert task._feature_distance(floats(4), floats(4)) is None


def test_two_calls_are_as_one(vae: VAE, tmp_path: Path) -> None:
    one, two = (fitted(vae, tmp_path / str(i), *ends, adversarial_weight=0.1) for i, ends in enumerate([(6,), (3, 6)]))
    assert same(one.model, two.model) and same(one.average, two.average)
    assert one.critic is not None and two.critic is not None and same(one.critic, two.critic)


def test_the_classifier_is_not_touched(vae: VAE, tmp_path: Path) -> None:
    assert untouched(lambda classifier: fitted(vae, tmp_path, 3, classifier=classifier))


def test_the_folder_holds_the_vae_too(vae: VAE, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = C3LT(SMALL, vae)
    save_c3lt(tmp_path, model, {"name": "small"})
    again = load_c3lt(tmp_path)
    assert again.config == SMALL and isinstance(again.config.vae, VAEConfig)
    source, target = torch.tensor([0, 1]), torch.tensor([1, 2])
    found, wanted = (m.decode(m.move(m.encode(floats(2)), source, target)) for m in (again, model))
    assert torch.allclose(found, wanted, atol=1e-2)


def test_what_is_refused(vae: VAE, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="steps is 0: choose at least 1"):
        C3LTConfig(steps=0)
    with pytest.raises(ValueError, match="leads to 2 classes, the classifier has 3"):
        C3LTTask(C3LT(replace(SMALL, classes=2), vae), Thirds(), RECIPES["paper"], torch.Generator())
    large = C3LT(C3LTConfig(VAEConfig(size=28), classes=3))
    with pytest.raises(ValueError, match=r"draws 1 channel\(s\) of \(28, 28\) pixels"):
        C3LTTask(large, Thirds(), RECIPES["paper"], torch.Generator())
    (tmp_path / "card.json").write_text('{"kind": "vae"}')
    with pytest.raises(ValueError, match="holds a 'vae', not a C3LT"):
        load_c3lt(tmp_path)
