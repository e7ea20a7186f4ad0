"""The one training loop, on Lightning Fabric: classifiers and generators are tasks that it drives."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from cfcore.engines.base import Progress, silent


class Task(ABC):
    """What is trained.

    A subclass owes `modules`, `optimizers`, and `step`, which does forward, `fabric.backward` and the optimiser steps
    for one batch and returns its losses as plain numbers. `picture` may return a grid for people to look at.
    """

    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]

    @abstractmethod
    def step(self, batch: tuple[Tensor, ...], iteration: int, fabric: Fabric) -> dict[str, float]:
        """Train on one batch; the loss names become the columns of the log."""

    def picture(self) -> Tensor | None:
        """(h, w) float32 in [0, 1]: a grid that shows how far the training is."""
        return None


class Batches:
    """Endless random batches of a data set held in memory, resumable to the very batch.

    Args:
        images: (n, channels, *spatial) uint8.
        labels: (n,) class indices.
        size: images a batch.
        generator: where the randomness comes from; its state is part of a checkpoint.
        balanced: draw the classes with equal probability, whatever their share.
    """

    def __init__(
        self, images: Tensor, labels: Tensor, size: int, generator: torch.Generator, *, balanced: bool = False
    ) -> None:
        if len(images) == 0:
            raise ValueError("no training images: choose a data set whose train split is not empty")
        self.images, self.labels, self.size, self.generator = images, labels, size, generator
        counts = torch.bincount(labels, minlength=2).double()
        if balanced and (counts == 0).any():
            raise ValueError(
                f"balanced sampling needs every class in the training images, counts are {counts.tolist()}"
            )
        self.weights = (1 / counts)[labels] if balanced else torch.ones(len(labels), dtype=torch.double)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            rows = torch.multinomial(self.weights, self.size, replacement=True, generator=self.generator)
            yield self.images[rows].float().div_(255), self.labels[rows]


@dataclass(frozen=True)
class Schedule:
    """How long and how often. `checkpoint` and `log` count iterations; `seconds` stops earlier when reached."""

    iterations: int
    checkpoint: int = 200
    log: int = 20
    seconds: float | None = None


def train(
    task: Task,
    batches: Batches,
    schedule: Schedule,
    folder: Path,
    *,
    fabric: Fabric | None = None,
    progress: Progress = silent,
) -> list[dict[str, float]]:
    """Train `task` until `schedule.iterations`; a second call with the same folder goes on where the first stopped.

    Writes into `folder`: checkpoint.pt (tensors and plain numbers, read back with weights_only), losses.jsonl and,
    at every checkpoint, grid.png where the task draws one.

    Returns:
        The logged losses, one dict a log line with "iteration" and "seconds".
    """
    fabric = fabric or Fabric(accelerator="auto", devices=1)
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "checkpoint.pt"
    done, spent = _resume(task, batches, state)
    log = _read_log(folder / "losses.jsonl", done)
    for module in task.modules.values():
        module.to(fabric.device)
    started = time.perf_counter() - spent
    stream = iter(batches)
    sums: dict[str, float] = {}
    for iteration in range(done, schedule.iterations):
        batch = tuple(part.to(fabric.device) for part in next(stream))
        for name, value in task.step(batch, iteration, fabric).items():
            sums.setdefault(name, value)
            sums[name] = 0.95 * sums[name] + 0.05 * value
        count = iteration + 1
        elapsed = time.perf_counter() - started
        last = count == schedule.iterations or (schedule.seconds is not None and elapsed > schedule.seconds)
        if count % schedule.log == 0 or last:
            row = {"iteration": float(count), "seconds": round(elapsed, 2)} | {k: round(v, 6) for k, v in sums.items()}
            log.append(row)
            with (folder / "losses.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
        if count % schedule.checkpoint == 0 or last:
            _checkpoint(task, batches, count, elapsed, state)
            _picture(task, folder / "grid.png")
        progress(count / schedule.iterations, f"iteration {count} of {schedule.iterations}")
        if last:
            break
    return log


def _checkpoint(task: Task, batches: Batches, count: int, seconds: float, path: Path) -> None:
    content: dict[str, Any] = {
        "modules": {name: module.state_dict() for name, module in task.modules.items()},
        "optimizers": {name: optimizer.state_dict() for name, optimizer in task.optimizers.items()},
        "batches": batches.generator.get_state(),
        "torch": torch.get_rng_state(),
        "iterations": count,
        "seconds": seconds,
    }
    # Written aside first: a kill during the write must not cost the last good checkpoint.
    torch.save(content, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def _resume(task: Task, batches: Batches, path: Path) -> tuple[int, float]:
    if not path.exists():
        return 0, 0.0
    content = torch.load(path, map_location="cpu", weights_only=True)
    for name, module in task.modules.items():
        module.load_state_dict(content["modules"][name])
    for name, optimizer in task.optimizers.items():
        optimizer.load_state_dict(content["optimizers"][name])
    batches.generator.set_state(content["batches"])
    torch.set_rng_state(content["torch"])
    return content["iterations"], content["seconds"]


def _read_log(path: Path, done: int) -> list[dict[str, float]]:
    """Lines up to the checkpoint; later ones belong to work that was lost and is done again."""
    if not path.exists():
        return []
    rows = [row for row in map(json.loads, path.read_text().splitlines()) if row["iteration"] <= done]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def _picture(task: Task, path: Path) -> None:
    from PIL import Image

    picture = task.picture()
    if picture is not None:
        Image.fromarray((picture.clamp(0, 1) * 255).round().byte().cpu().numpy()).save(path)
