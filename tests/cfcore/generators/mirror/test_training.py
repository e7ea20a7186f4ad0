"""Training a decoder: pictures get the confidence that was asked for, C stays as it is, two calls are as one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.generators.mirror import MirrorDecoder
from cfcore.generators.mirror.measure import measure
from cfcore.generators.mirror.recipes import PAPER, QUICK, MirrorTraining
from cfcore.generators.mirror.training import MirrorTask
from cfcore.training.batches import Batches
from cfcore.training.loop import Schedule, train
from tests.cfcore.graded import Graded, pictures, small_decoder


def trained(
    classifier: Classifier, settings: MirrorTraining, folder: Path, *iterations: int, partners: Tensor | None = None
) -> MirrorTask:
    for end in iterations:
        generator = torch.Generator().manual_seed(0)
        task = MirrorTask(small_decoder(classifier), classifier, settings, generator, iterations[-1], partners)
        images, classes = pictures()
        task.prepare(images)
        batches = Batches(images, classes, 16, generator, balanced=True)
        train(task, batches, Schedule(end, checkpoint=end, log=10), folder, fabric=Fabric(accelerator="cpu"))
    return task


def test_pictures_have_the_confidence_that_was_asked_for(small: Classifier, tmp_path: Path) -> None:
    settings = replace(QUICK, rate=5e-3, half_life=200)
    task = trained(small, settings, tmp_path, 250)
    images, _ = pictures()
    found = measure(task.average, small, images, task.partners)
    assert found["l1"] < 0.06 and found["agreement"] > 0.95, found
    assert found["validity"] > 0.9 and found["first_validity"] > 0.9 and found["confidence_error"] < 0.2, found
    assert found["l1_first"] <= found["l1_mirror"]
    task.held_out_images = images
    assert task.held_out() == pytest.approx(found["l1"] + found["confidence_error"], abs=0.1)
    picture = task.picture()
    assert picture is not None and picture.shape == (4 * 16, 8 * 16)


@pytest.mark.parametrize("recipe", [PAPER, QUICK], ids=["paper", "quick"])
def test_two_calls_are_as_one(recipe: MirrorTraining, small: Classifier, tmp_path: Path) -> None:
    one = trained(small, recipe, tmp_path / "one", 7)
    two = trained(small, recipe, tmp_path / "two", 4, 7)
    for a, b in zip(one.average.state_dict().values(), two.average.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_the_classifier_is_not_touched(tmp_path: Path) -> None:
    torch.manual_seed(0)
    classifier = Graded()
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    trained(classifier, PAPER, tmp_path, 3)
    assert all(torch.equal(before[name], tensor) for name, tensor in classifier.state_dict().items())


def test_images_are_led_to_their_partners_alone(small: Classifier, decoder: MirrorDecoder) -> None:
    partners = torch.zeros(3, 3, dtype=torch.bool)
    partners[0, 2] = partners[2, 0] = True
    task = MirrorTask(decoder, small, QUICK, torch.Generator().manual_seed(0), 10, partners)
    images, classes = pictures()
    way = task._way(task.memory.look(small, images.float() / 255))
    assert (way.target[classes == 0] == 2).all() and (way.target[classes == 2] == 0).all()
    # The middle class has no partner: it is led anywhere but to itself.
    assert set(way.target[classes == 1].tolist()) == {0, 2}


def test_an_image_at_the_boundary_adds_no_more_than_its_share(small: Classifier, decoder: MirrorDecoder) -> None:
    images, _ = pictures()
    terms = []
    for most in (float("inf"), 0.01):
        task = MirrorTask(decoder, small, replace(PAPER, triangulation_most=most), torch.Generator().manual_seed(0), 10)
        task.prepare(images)
        losses, _ = task._train_generator(images[:16].float() / 255, 1, Fabric(accelerator="cpu"))
        terms.append(losses["triangulation"])
    assert terms[0] > terms[1] and 0 < terms[1] <= 0.01 + 1e-6


def test_every_second_drawing_is_shifted_before_the_classifier_looks(small: Classifier, decoder: MirrorDecoder) -> None:
    drawn = torch.rand(64, 1, 16, 16)
    plain, jittered = (
        MirrorTask(decoder, small, replace(QUICK, jitter=most), torch.Generator().manual_seed(0), 10)._jittered(drawn)
        for most in (0, 2)
    )
    assert torch.equal(plain, drawn) and torch.equal(jittered[::2], drawn[::2])
    moves = set()
    for before, after in zip(drawn[1::2, 0], jittered[1::2, 0], strict=True):
        inner = after[4:12, 4:12]
        found = [
            (y, x)
            for y in range(-2, 3)
            for x in range(-2, 3)
            if torch.equal(before[4 + y : 12 + y, 4 + x : 12 + x], inner)
        ]
        assert len(found) == 1
        moves.add(found[0])
        rows = (torch.arange(16) + found[0][0]).clamp(0, 15)
        columns = (torch.arange(16) + found[0][1]).clamp(0, 15)
        assert torch.equal(after, before[rows][:, columns])
    assert {y for y, _ in moves} == {x for _, x in moves} == set(range(-2, 3))


def test_what_the_classifier_saw_is_remembered_as_it_was(small: Classifier, decoder: MirrorDecoder) -> None:
    task = MirrorTask(decoder, small, QUICK, torch.Generator(), 10)
    images, _ = pictures()
    task.prepare(images[:40])
    real = images.float() / 255
    known, fresh = task.memory.look(small, real), MirrorTask(decoder, small, PAPER, torch.Generator(), 10).memory
    seen = fresh.look(small, real)
    assert torch.allclose(known.z, seen.z, atol=1e-2) and torch.equal(known.z[40:], known.levels[-1][40:].mean((2, 3)))
    for level, expected in zip(known.levels, seen.levels, strict=True):
        assert torch.allclose(level, expected, atol=1e-2)


def test_a_decoder_of_another_classifier_is_refused(decoder: MirrorDecoder) -> None:
    with pytest.raises(ValueError, match="made for another classifier"):
        MirrorTask(decoder, Graded(), QUICK, torch.Generator(), 10)


@pytest.mark.parametrize(
    "wrong", [{"divergence": "none"}, {"classifier_every": 0}, {"seen_again": 2.0}, {"jitter": -1}]
)
def test_recipes_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="choose"):
        replace(QUICK, **wrong)  # type: ignore[arg-type]
