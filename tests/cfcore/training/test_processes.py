"""Two processes on the CPU give the losses of one at the same global batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from cfcore.classifiers.base import Classifier
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.generators.stylex.adaptive import Adaptation, AdaptiveStylExTask
from cfcore.generators.stylex.training import StylExTask, StylExTraining
from cfcore.training.batches import Batches
from cfcore.training.loop import Schedule, train

SMALL = {4: 8, 8: 8, 16: 4}


class Plain(Classifier):
    """A classifier without batch statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.class_names, self.size, self.channels = ("no", "yes"), (16, 16), 1
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 49, 2))

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images)


def run(fabric: Fabric, folder: Path, adaptive: bool) -> None:
    """Train every term of StylEx for a few iterations; the log is left in the folder."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (40, 1, 16, 16), dtype=torch.uint8, generator=generator)
    classifier = Plain().requires_grad_(False)
    model = StylEx(StylExConfig(size=16, width=8, condition=4, channels=SMALL, critic_channels=SMALL))
    settings = StylExTraining(edge_weight=1.0, classifier_every=2, r1_every=2, path_every=2)
    task = StylExTask(model, classifier, settings, generator)
    if adaptive:
        # A goal that D passes at once, so that what it sees is transformed from the first look on.
        adaptation = Adaptation(goal=-2, images=100, every=2)
        task = AdaptiveStylExTask(model, classifier, settings, generator, adaptation=adaptation)
    batches = Batches(images, torch.arange(40) % 2, 16, generator)
    train(task, batches, Schedule(8, checkpoint=3, log=1), folder, fabric=fabric)


@pytest.mark.parametrize("adaptive", [False, True])
def test_two_processes_train_as_one(tmp_path: Path, adaptive: bool) -> None:
    run(Fabric(accelerator="cpu", devices=1), tmp_path / "one", adaptive)
    Fabric(accelerator="cpu", devices=2, strategy="ddp_spawn").launch(run, tmp_path / "two", adaptive)
    one, two = (
        [json.loads(line) for line in (tmp_path / name / "losses.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    )
    assert len(one) == len(two) == 8
    assert {"l1", "edges", "kl", "code", "adversarial", "path", "d", "r1"} <= set(two[-1])
    assert not adaptive or two[-1]["probability"] > 0
    for a, b in zip(one, two, strict=True):
        a.pop("seconds"), b.pop("seconds")
        assert b == pytest.approx(a, rel=2e-3, abs=2e-5)
