"""The one training loop, on Lightning Fabric: classifiers and generators are tasks that it drives."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from cfcore.engines.base import Progress, silent

from .batches import Batches, Part
from .task import Task


@dataclass(frozen=True)
class Schedule:
    """How long and how often.

    Attributes:
        iterations: optimiser steps in all. checkpoint, log: iterations between checkpoints and between log lines.
        seconds: stops earlier when reached.
        accumulate: micro-batches that a batch is cut into, for networks that do not fit the memory in one.
        patience: checkpoints without a better held-out figure after which the training ends early, with the weights
            of the best; None trains to the end. Needs a task with `held_out`.
    """

    iterations: int
    checkpoint: int = 200
    log: int = 20
    seconds: float | None = None
    accumulate: int = 1
    patience: int | None = None


@dataclass
class _State:
    """What a checkpoint holds beside weights and random states."""

    iterations: int = 0
    seconds: float = 0.0
    best: float | None = None
    stale: int = 0
    sums: dict[str, float] = field(default_factory=dict)


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
    at every checkpoint, grid.png where the task draws one. The loggers of `fabric` get every log line.

    With a fabric of several processes each trains on its part of every batch, and gradients and losses are averaged:
    networks without batch statistics train as on one. Only the first process writes and reports.

    Returns:
        The logged losses, one dict a log line with "iteration" and "seconds".

    Raises:
        ValueError: the batch cannot be cut into equal parts, or early stopping is asked of a task that has no
            held-out figure.
    """
    fabric = fabric or Fabric(accelerator="auto", devices=1)
    folder.mkdir(parents=True, exist_ok=True)
    task.part = Part(fabric.global_rank, fabric.world_size, task.group)
    task.accumulate = schedule.accumulate
    state = _resume(task, batches, folder / "checkpoint.pt")
    log = _read_log(folder / "losses.jsonl", state.iterations) if fabric.is_global_zero else []
    for module in task.modules.values():
        module.to(fabric.device)
    started = time.perf_counter() - state.seconds
    stream = iter(batches)
    while state.iterations < schedule.iterations and not _gave_up(state, schedule):
        for name, value in _iteration(task, next(stream), state.iterations, fabric).items():
            state.sums.setdefault(name, value)
            state.sums[name] = 0.95 * state.sums[name] + 0.05 * value
        state.iterations += 1
        state.seconds = time.perf_counter() - started
        over_time = schedule.seconds is not None and state.seconds > schedule.seconds
        last = bool(fabric.broadcast(state.iterations == schedule.iterations or over_time))
        row = _row(state)
        if state.iterations % schedule.checkpoint == 0 or last:
            if schedule.patience is not None:
                row |= _judge(task, state, folder / "best.pt", fabric)
                last = last or _gave_up(state, schedule)
            if fabric.is_global_zero:
                _checkpoint(task, batches, state, folder / "checkpoint.pt")
                _picture(task, folder / "grid.png")
        if fabric.is_global_zero:
            if state.iterations % schedule.log == 0 or last or "held_out" in row:
                _write(log, row, folder / "losses.jsonl", fabric)
            progress(state.iterations / schedule.iterations, f"iteration {state.iterations} of {schedule.iterations}")
        if last:
            break
    if schedule.patience is not None:
        _take_best(task, folder / "best.pt")
    return log


def _gave_up(state: _State, schedule: Schedule) -> bool:
    return schedule.patience is not None and state.stale >= schedule.patience


@contextmanager
def _tiny_numbers_are_zero() -> Iterator[None]:
    """Numbers below 1e-38, as in the gradients behind a closed mask, make a step on a CPU several times as long. They
    are a matter of the whole process, so that they come back after every step."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@_tiny_numbers_are_zero()
def _iteration(task: Task, batch: tuple[torch.Tensor, ...], iteration: int, fabric: Fabric) -> dict[str, float]:
    """One optimiser step of every optimiser; the losses are means over micro-batches and processes."""
    own = tuple(task.part.of(tensor) for tensor in batch)
    sums: dict[str, float] = {}
    for index in range(task.accumulate):
        micro = Part(index, task.accumulate, task.group)
        rows = tuple(micro.of(tensor).to(fabric.device) for tensor in own)
        with fabric.autocast():
            for name, value in task.step(rows, iteration, fabric).items():
                sums[name] = sums.get(name, 0.0) + value / task.accumulate
    if fabric.world_size == 1:
        return sums
    values = fabric.all_reduce(torch.tensor(list(sums.values()), device=fabric.device), reduce_op="mean")
    assert isinstance(values, torch.Tensor)
    return dict(zip(sums, values.tolist(), strict=True))


def _row(state: _State) -> dict[str, float]:
    row = {"iteration": float(state.iterations), "seconds": round(state.seconds, 2)}
    return row | {name: round(value, 6) for name, value in state.sums.items()}


def _write(log: list[dict[str, float]], row: dict[str, float], path: Path, fabric: Fabric) -> None:
    log.append(row)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")
    fabric.log_dict(row, step=int(row["iteration"]))


def _judge(task: Task, state: _State, path: Path, fabric: Fabric) -> dict[str, float]:
    """Take the held-out figure; keep the weights where it is the best so far."""
    found = task.held_out()
    if found is None:
        raise ValueError("early stopping needs a held-out figure, and this training has none: leave patience out")
    # Every process must stop at the same checkpoint.
    found = float(fabric.broadcast(found))
    if state.best is None or found < state.best:
        state.best, state.stale = found, 0
        if fabric.is_global_zero:
            _save({name: module.state_dict() for name, module in task.modules.items()}, path)
    else:
        state.stale += 1
    fabric.barrier()
    return {"held_out": round(found, 6)}


def _take_best(task: Task, path: Path) -> None:
    if path.exists():
        content = torch.load(path, map_location="cpu", weights_only=True)
        for name, module in task.modules.items():
            module.load_state_dict(content[name])


def _save(content: dict[str, Any], path: Path) -> None:
    # Written aside first: a kill during the write must not cost the last good checkpoint.
    torch.save(content, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def _checkpoint(task: Task, batches: Batches, state: _State, path: Path) -> None:
    content: dict[str, Any] = {
        "modules": {name: module.state_dict() for name, module in task.modules.items()},
        "optimizers": {name: optimizer.state_dict() for name, optimizer in task.optimizers.items()},
        "batches": batches.generator.get_state(),
        "torch": torch.get_rng_state(),
        "state": vars(state),
    }
    _save(content, path)


def _resume(task: Task, batches: Batches, path: Path) -> _State:
    if not path.exists():
        return _State()
    content = torch.load(path, map_location="cpu", weights_only=True)
    for name, module in task.modules.items():
        module.load_state_dict(content["modules"][name])
    for name, optimizer in task.optimizers.items():
        optimizer.load_state_dict(content["optimizers"][name])
    batches.generator.set_state(content["batches"])
    torch.set_rng_state(content["torch"])
    return _State(**content["state"])


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
