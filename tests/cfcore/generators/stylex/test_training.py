"""StylEx training: every part moves, C stays as it is, reconstruction gets better, and it resumes."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from lightning_fabric import Fabric

from cfcore.classifiers.densenet import BinaryDenseNet
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.generators.stylex.training import StylExTask, StylExTraining, reconstruction_quality
from cfcore.training.loop import Batches, Schedule, train
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
