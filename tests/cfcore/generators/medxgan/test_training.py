"""Training medXGAN: z2 gets its meaning from C's logits, C stays as it is, and two calls go on where one stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import Classifier
from cfcore.classifiers.trunk import SmallCNN
from cfcore.generators.medxgan import MedXGAN
from cfcore.generators.medxgan.guidance import feature_distance, salience
from cfcore.generators.medxgan.measure import drawn_class, encoded
from cfcore.generators.medxgan.training import COVERED, GUIDED, PAPER, MedXGANTask, MedXGANTraining
from cfcore.training.batches import Batches
from cfcore.training.loop import Schedule, train
from cfcore.training.weights import freeze

from .conftest import CONFIG

RATE = 5e-3


def pictures(n: int = 64) -> tuple[Tensor, Tensor]:
    """Dark and bright images of 16 px with a ramp of random strength."""
    drawn = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 2
    ramp = torch.linspace(-0.15, 0.15, 16) * torch.rand(n, 1, 1, 1, generator=drawn)
    return ((0.35 + 0.3 * labels[:, None, None, None] + ramp).expand(n, 1, 16, 16) * 255).byte(), labels


def trained(classifier: Classifier, settings: MedXGANTraining, folder: Path, *iterations: int) -> MedXGANTask:
    for end in iterations:
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(0)
        task = MedXGANTask(MedXGAN(CONFIG), classifier, settings, generator, iterations[-1])
        batches = Batches(*pictures(), 16, generator, balanced=True)
        train(task, batches, Schedule(end, checkpoint=end, log=10), folder, fabric=Fabric(accelerator="cpu"))
    return task


@pytest.mark.parametrize("recipe", [COVERED, PAPER], ids=["covered", "paper"])
def test_samples_become_the_class_of_their_z2(recipe: MedXGANTraining, classifier: Classifier, tmp_path: Path) -> None:
    task = trained(classifier, replace(recipe, rate=RATE, half_life=200, class_weight=20.0), tmp_path, 400)
    found = drawn_class(task.average, classifier, 100, torch.Generator().manual_seed(1))
    assert found["negative_accuracy"] > 0.8 and found["positive_accuracy"] > 0.8, found


def test_the_encoder_covers_the_images(classifier: Classifier, tmp_path: Path) -> None:
    task = trained(classifier, replace(COVERED, rate=RATE, half_life=200), tmp_path, 200)
    images, _ = pictures()
    assert encoded(task.average, classifier, images)["l1"] < 0.05
    task.held_out_images = images
    assert task.held_out() == pytest.approx(encoded(task.average, classifier, images)["l1"], abs=0.01)
    picture = task.picture()
    assert picture is not None and picture.shape == (5 * 16, 8 * 16)


def test_guided_keeps_what_the_classifier_looks_at(tmp_path: Path) -> None:
    torch.manual_seed(0)
    classifier = SmallCNN(("dark", "bright"), 16, width=0.25)
    freeze(classifier)
    classifier.eval()
    images = pictures()[0].float() / 255
    assert feature_distance(classifier, images, images).item() == 0
    assert feature_distance(classifier, images.flip(3), images).item() > 0
    distances = []
    for weight in (0.0, 2.0):
        settings = replace(GUIDED, rate=RATE, half_life=200, feature_weight=weight, own_class_every=1)
        task = trained(classifier, settings, tmp_path / str(weight), 100)
        z1, z2 = task.average.encode(images)
        positive = classifier.logits(images).argmax(dim=1)[:, None]
        with torch.no_grad():
            distances.append(feature_distance(classifier, task.average.decode(z1, z2 * positive), images).item())
    assert distances[1] < distances[0]


class Corner(Classifier):
    """Sees the mean of a corner of 4 x 4 px alone."""

    class_names, channels, size = ("dark", "bright"), 1, (16, 16)

    def logits(self, images: Tensor) -> Tensor:
        margin = 20 * (images[:, 0, :4, :4].mean(dim=(1, 2)) - 0.5)
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


def test_salience_lies_where_the_classifier_looks(images: Tensor) -> None:
    found = salience(Corner(), images)
    assert found.shape == images.shape and torch.allclose(found.mean(dim=(1, 2, 3)), torch.ones(len(images)))
    # The corner and, by the averaging over 5 px, two pixels beside it.
    assert (found[:, :, :4, :4] > 1).all() and (found[:, :, 6:, :] == 0).all() and (found[:, :, :, 6:] == 0).all()
    with torch.no_grad():
        assert torch.equal(salience(Corner(), images), found)


def test_a_flat_classifier_makes_every_pixel_count_alike(images: Tensor) -> None:
    class Flat(Corner):
        def logits(self, images: Tensor) -> Tensor:
            return 0 * super().logits(images)

    assert (salience(Flat(), images) == 1).all()


def test_salient_pixels_are_drawn_better_for_their_weight(tmp_path: Path) -> None:
    images = pictures()[0].float() / 255
    errors = []
    for weight in (0.0, 20.0):
        settings = replace(COVERED, rate=RATE, half_life=200, salience_weight=weight, own_class_every=1)
        task = trained(Corner(), settings, tmp_path / str(weight), 100)
        z1, z2 = task.average.encode(images)
        positive = Corner().logits(images).argmax(dim=1)[:, None]
        with torch.no_grad():
            off = (task.average.decode(z1, z2 * positive) - images).abs()
        errors.append(off[:, :, :4, :4].mean().item())
    assert errors[1] < errors[0]


def test_r1_is_taken_every_so_often_and_told(classifier: Classifier, tmp_path: Path) -> None:
    every = replace(COVERED, r1_weight=0.1, r1_every=2)
    generator = torch.Generator().manual_seed(0)
    task = MedXGANTask(MedXGAN(CONFIG), classifier, every, generator)
    batch = pictures(16)[0].float() / 255, pictures(16)[1]
    told = [task.step(batch, iteration, Fabric(accelerator="cpu")) for iteration in range(4)]
    assert ["r1" in losses for losses in told] == [True, False, True, False]
    assert all(losses["r1"] >= 0 for losses in told[::2])


def test_a_classifier_without_stages_cannot_guide(classifier: Classifier) -> None:
    with pytest.raises(TypeError, match="does not tell its stages: choose the recipe covered or paper"):
        feature_distance(classifier, torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 16))


def test_two_calls_are_as_one(classifier: Classifier, tmp_path: Path) -> None:
    one = trained(classifier, COVERED, tmp_path / "one", 12)
    two = trained(classifier, COVERED, tmp_path / "two", 7, 12)
    for a, b in zip(one.model.state_dict().values(), two.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_the_classifier_is_not_touched(tmp_path: Path) -> None:
    torch.manual_seed(0)
    classifier = SmallCNN(("dark", "bright"), 16, width=0.25)
    freeze(classifier)
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    trained(classifier, COVERED, tmp_path, 3)
    assert all(torch.equal(before[name], tensor) for name, tensor in classifier.state_dict().items())


def test_cross_entropy_gets_logits(classifier: Classifier, tmp_path: Path) -> None:
    """Softmax outputs given to a cross-entropy are squeezed once more: no loss below log(1 + 1/e) = 0.31 then."""
    task = trained(classifier, replace(PAPER, rate=RATE, class_weight=20.0), tmp_path, 150)
    z1, z2, stands_for = task._samples(torch.zeros(64, 1, 16, 16), 64)
    logits = classifier.logits(task.average.decode(z1, z2))
    losses = task.step((pictures(16)[0].float() / 255, torch.zeros(16).long()), 150, Fabric(accelerator="cpu"))
    assert functional.cross_entropy(logits, stands_for) < 0.2 and losses["class"] < 0.25


def test_pairs_that_do_not_fit_are_refused(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match=r"of \(16, 16\) pixels, the classifier takes 1 of \(32, 32\)"):
        MedXGANTask(MedXGAN(CONFIG), SmallCNN(("a", "b"), 32, width=0.1), PAPER, torch.Generator())
