"""Training a small network in a test, in one call or in several that go on from each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from torch import nn

from cfcore.classifiers.base import Classifier
from cfcore.generators.averaged import AveragedTask
from cfcore.training.batches import Batches
from cfcore.training.loop import Schedule, train
from cfcore.training.weights import freeze
from tests.cfcore.thirds import Thirds, pictures

Task = TypeVar("Task", bound=AveragedTask)  # type: ignore[type-arg]


def trained(build: Callable[[torch.Generator, int], Task], folder: Path, *iterations: int) -> Task:
    """`build`'s task after the last of `iterations`; each number is a call that goes on where the one before ended."""
    for end in iterations:
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(0)
        task = build(generator, iterations[-1])
        batches = Batches(*pictures(), 12, generator, balanced=True)
        train(task, batches, Schedule(end, checkpoint=end, log=10), folder, fabric=Fabric(accelerator="cpu"))
    return task


def same(one: nn.Module, two: nn.Module) -> bool:
    """Whether two networks have the same weights to the last bit."""
    a, b = one.state_dict(), two.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Learnt(Thirds):
    """`Thirds` with weights and batch norm, which a careless training would change."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
        self.network(torch.zeros(2, 1, 16, 16))
        freeze(self)

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images)


def untouched(train_against: Callable[[Classifier], object]) -> bool:
    """Whether a classifier is bit by bit what it was, after a training against it."""
    classifier = Learnt()
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    train_against(classifier)
    return all(torch.equal(before[name], tensor) for name, tensor in classifier.state_dict().items())
