"""What the training loop drives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from .batches import Part


class Task(ABC):
    """What is trained.

    A subclass owes `modules`, `optimizers`, and `step`, which computes the losses of one (micro-)batch, hands each to
    `update` and returns them as plain numbers. `picture` may return a grid for people to look at, `held_out` a figure
    that early stopping watches.

    Attributes:
        group: rows that a minibatch-stddev layer looks at together (1: there is none).
        part: this process' part of a batch over all processes; the loop sets it. Random numbers are drawn for the
            whole batch and cut by it, so that two processes do what one would do.
        accumulate: micro-batches before an optimiser steps; the loop sets it.
    """

    group: ClassVar[int] = 1
    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    part: Part = Part()
    accumulate: int = 1

    @abstractmethod
    def step(self, batch: tuple[Tensor, ...], iteration: int, fabric: Fabric) -> dict[str, float]:
        """Train on one batch; the loss names become the columns of the log."""

    def picture(self) -> Tensor | None:
        """(h, w) float32 in [0, 1]: a grid that shows how far the training is."""
        return None

    def held_out(self) -> float | None:
        """A figure on images that are not trained on, the lower the better; None where the task has none."""
        return None

    def update(self, name: str, loss: Tensor, fabric: Fabric) -> bool:
        """Backward of one loss for optimiser `name`; at the last micro-batch average the gradients over the processes
        and step. Returns whether it stepped."""
        pending = self.__dict__.setdefault("_pending", {})
        fabric.backward(loss / self.accumulate)
        pending[name] = pending.get(name, 0) + 1
        if pending[name] < self.accumulate:
            return False
        pending[name] = 0
        optimizer = self.optimizers[name]
        if fabric.world_size > 1:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        parameter.grad.copy_(fabric.all_reduce(parameter.grad, reduce_op="mean"))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return True
