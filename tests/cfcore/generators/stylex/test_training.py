"""StylEx training: every part moves, C stays as it is, reconstruction gets better, and it resumes."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from cfcore.classifiers.densenet import BinaryDenseNet
from cfcore.generators.layers import deactivate
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.generators.stylex.losses import classifier_terms
from cfcore.generators.stylex.training import (
    NEVER,
    RECIPES,
    StylExTask,
    StylExTraining,
    reconstruction_quality,
)
from cfcore.training.batches import Batches
from cfcore.training.loop import Schedule, train
from cfcore.training.weights import freeze

SMALL = {4: 16, 8: 16, 16: 8, 32: 8}


def test_training_moves_all_networks_but_the_classifier(tmp_path: Path) -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    classifier = BinaryDenseNet(("no", "yes"), 32)
    freeze(classifier)
    frozen = copy.deepcopy(classifier.state_dict())
    coarse = torch.rand(48, 1, 2, 2, generator=generator)
    images = torch.nn.functional.interpolate(coarse, size=32, mode="bilinear").mul(255).byte()
    model = StylEx(StylExConfig(size=32, width=32, condition=4, channels=SMALL, critic_channels=SMALL))
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    untrained = reconstruction_quality(model, classifier, images)
    settings = StylExTraining(adversarial_from=30, momentum=0.9, classifier_every=4, path_every=2, half_life=50)
    task = StylExTask(model, classifier, settings, generator)
    critic = copy.deepcopy(task.discriminator.state_dict())
    batches = Batches(images, torch.arange(48) % 2, 8, generator)
    log = train(
        task, batches, Schedule(40, checkpoint=40, log=1), tmp_path, fabric=Fabric(accelerator="cpu", devices=1)
    )
    assert {"l1", "kl", "code", "adversarial", "path", "d", "r1"} <= set(log[-1])
    assert "d" not in log[10]
    for name, tensor in classifier.state_dict().items():
        assert torch.equal(tensor, frozen[name]), name
    moved = {name.split(".")[0] for name, tensor in model.state_dict().items() if not torch.equal(tensor, start[name])}
    assert moved == {"embedding", "mapping", "synthesis", "encoder"}
    assert any(not torch.equal(t, critic[n]) for n, t in task.discriminator.state_dict().items())
    trained = reconstruction_quality(task.average, classifier, images)
    assert trained["l1"] < 0.8 * untrained["l1"]
    assert 0 <= trained["agreement"] <= 1 and trained["ssim"] <= 1
    picture = task.picture()
    assert picture is not None and picture.shape == (96, 256)


def _task(settings: StylExTraining, iterations: int | None = None) -> StylExTask:
    torch.manual_seed(0)
    classifier = BinaryDenseNet(("no", "yes"), 32)
    freeze(classifier)
    model = StylEx(StylExConfig(size=32, width=8, condition=4, channels=SMALL, critic_channels=SMALL))
    return StylExTask(model, classifier, settings, torch.Generator().manual_seed(0), iterations=iterations)


def test_rates_rise_then_fall_to_nothing() -> None:
    task = _task(StylExTraining(warm_up=2, anneal=True, adversarial_from=NEVER, classifier_from=NEVER), 8)
    images, labels = torch.rand(4, 1, 32, 32), torch.arange(4) % 2
    fabric = Fabric(accelerator="cpu", devices=1)
    seen = []
    for iteration in range(8):
        task.step((images, labels), iteration, fabric)
        seen.append(task.optimizers["generator"].param_groups[0]["lr"] / task.settings.generator_rate)
    assert seen[0] == pytest.approx(0.5)
    assert seen[4] == pytest.approx(0.5)
    assert seen[1] > seen[2] > seen[5] > seen[7] > 0
    assert seen[7] < 0.05


def test_annealing_wants_to_know_the_end() -> None:
    with pytest.raises(ValueError, match="number of iterations"):
        _task(StylExTraining(anneal=True))


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_trains(recipe: str) -> None:
    task = _task(RECIPES[recipe], 10)
    losses = task.step((torch.rand(4, 1, 32, 32), torch.arange(4) % 2), 0, Fabric(accelerator="cpu", devices=1))
    assert ("d" in losses) == (recipe in ("adversarial", "paper"))
    assert all(math.isfinite(value) for value in losses.values())


def test_matched_codes_have_mean_and_covariance_of_the_encoder() -> None:
    task = _task(StylExTraining())
    images = torch.randint(0, 256, (400, 1, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        wanted = torch.cat([task.model.encode(part.float() / 255) for part in images.split(100)])
        before = _drawn(task)
        task.match_codes(images)
        after = _drawn(task)
    # The activation is undone on the codes, so it is there that the moments agree.
    goal = deactivate(wanted)
    assert (deactivate(before).std(dim=0) / goal.std(dim=0)).log().abs().mean() > 0.5
    assert torch.allclose(deactivate(after).mean(dim=0), goal.mean(dim=0), atol=0.15 * goal.std().item())
    assert (torch.cov(deactivate(after).T) - torch.cov(goal.T)).norm() < 0.2 * torch.cov(goal.T).norm()
    for own, average in zip(task.model.mapping.parameters(), task.average.mapping.parameters(), strict=True):
        assert torch.equal(own, average)


def _drawn(task: StylExTask) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    z = torch.randn(4000, 8, generator=generator)
    return task.model.mapping(z, torch.randint(2, (4000,), generator=generator))


def test_a_single_code_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="at least 2 codes"):
        _task(StylExTraining()).match_codes(torch.zeros(1, 1, 32, 32, dtype=torch.uint8))


def test_a_resumed_training_is_the_uninterrupted_one_to_the_bit(tmp_path: Path) -> None:
    """Every term takes part, and a picture is drawn at every checkpoint."""

    def fresh(folder: str, iterations: int) -> StylExTask:
        settings = StylExTraining(classifier_every=2, r1_every=2, path_every=2, warm_up=3, anneal=True)
        task = _task(settings, 9)
        images = torch.randint(0, 256, (24, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
        batches = Batches(images, torch.arange(24) % 2, 4, task.generator)
        schedule = Schedule(iterations, checkpoint=3, log=1)
        train(task, batches, schedule, tmp_path / folder, fabric=Fabric(accelerator="cpu", devices=1))
        return task

    whole = fresh("whole", 9)
    fresh("cut", 6)
    resumed = fresh("cut", 9)
    for name, module in whole.modules.items():
        for key, tensor in module.state_dict().items():
            assert torch.equal(tensor, resumed.modules[name].state_dict()[key]), f"{name}: {key}"
    logs = {}
    for folder in ("whole", "cut"):
        lines = (tmp_path / folder / "losses.jsonl").read_text().splitlines()
        logs[folder] = [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]
    assert len(logs["whole"]) == 9
    assert logs["cut"] == logs["whole"]


def test_classifiers_that_share_a_generator_judge_their_own_images() -> None:
    torch.manual_seed(0)
    classifiers = [BinaryDenseNet(("no", "yes"), 32) for _ in range(2)]
    for classifier in classifiers:
        freeze(classifier)
    model = StylEx(
        StylExConfig(size=32, width=8, condition=4, classes=4, channels=SMALL, critic_channels=SMALL, encoder_passes=2)
    )
    settings = StylExTraining(adversarial_from=NEVER, classifier_every=1)
    task = StylExTask(model, classifiers, settings, torch.Generator().manual_seed(0))
    images, label = torch.rand(6, 1, 32, 32), torch.tensor([0, 2, 3, 1, 3, 2])
    own = [classifiers[0 if row < 2 else 1].logits(images[i : i + 1]).argmax().item() for i, row in enumerate(label)]
    expected = [value + (0 if row < 2 else 2) for value, row in zip(own, label.tolist(), strict=True)]
    assert task._classes(images, label).tolist() == expected
    drawn = model.decode(model.encode(images), label)
    kl, distance = task._classifier_terms(images, drawn, label)
    parts = [classifier_terms(classifiers[0 if row < 2 else 1], images[[i]], drawn[[i]], perceptual=True)
             for i, row in enumerate(label.tolist())]  # fmt: skip
    assert kl.item() == pytest.approx(sum(part[0].item() for part in parts) / 6, rel=1e-4)
    assert distance.item() == pytest.approx(sum(part[1].item() for part in parts) / 6, rel=1e-4)
    losses = task.step((images, label), 0, Fabric(accelerator="cpu", devices=1))
    assert all(math.isfinite(value) for value in losses.values())
    picture = task.picture()
    assert picture is not None and picture.shape == (96, 192)


def test_classes_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="the generator has 3 classes, the classifiers have 2"):
        model = StylEx(StylExConfig(size=32, width=8, classes=3, channels=SMALL, critic_channels=SMALL))
        StylExTask(model, BinaryDenseNet(("no", "yes"), 32), StylExTraining(), torch.Generator())
