"""The training loop: balanced batches, logs, and resuming to the very bit."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from cfcore.engines.base import Cancelled
from cfcore.training.batches import Batches
from cfcore.training.fabric import build_fabric
from cfcore.training.loop import Schedule, train
from cfcore.training.task import Task


class Mean(Task):
    """Learns the mean of the images."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = nn.Linear(4, 1)
        self.modules = {"network": self.network}
        self.optimizers = {"adam": torch.optim.Adam(self.network.parameters(), lr=0.05)}

    def step(self, batch: tuple[Tensor, ...], iteration: int, fabric: Fabric) -> dict[str, float]:
        images, labels = batch
        loss = (self.network(images.flatten(1))[:, 0] - labels).square().mean()
        self.update("adam", loss, fabric)
        return {"loss": loss.item()}

    def picture(self) -> Tensor:
        return torch.full((2, 2), 0.5)


def _batches() -> Batches:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (40, 1, 2, 2), dtype=torch.uint8, generator=generator)
    return Batches(images, (torch.arange(40) < 4).long(), 8, generator, balanced=True)


def _fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def test_resumed_training_equals_uninterrupted_training(tmp_path: Path) -> None:
    whole, cut = Mean(), Mean()
    log = train(whole, _batches(), Schedule(60, checkpoint=10, log=10), tmp_path / "whole", fabric=_fabric())

    def stop(share: float, message: str) -> None:
        if share > 0.55:
            raise Cancelled

    with pytest.raises(Cancelled):
        train(cut, _batches(), Schedule(60, checkpoint=10, log=10), tmp_path / "cut", fabric=_fabric(), progress=stop)
    again = Mean()
    resumed = train(again, _batches(), Schedule(60, checkpoint=10, log=10), tmp_path / "cut", fabric=_fabric())
    assert torch.equal(again.network.weight, whole.network.weight)
    assert [row["iteration"] for row in resumed] == [row["iteration"] for row in log] == [10, 20, 30, 40, 50, 60]
    assert log[-1]["loss"] < log[0]["loss"]
    assert (tmp_path / "cut" / "grid.png").stat().st_size > 0


def test_time_limit_ends_training_with_a_checkpoint(tmp_path: Path) -> None:
    log = train(Mean(), _batches(), Schedule(10**6, seconds=0.0), tmp_path, fabric=_fabric())
    assert log[-1]["iteration"] == 1
    assert (tmp_path / "checkpoint.pt").exists()


def test_micro_batches_give_the_gradient_of_the_whole(tmp_path: Path) -> None:
    whole, pieces = Mean(), Mean()
    train(whole, _batches(), Schedule(20), tmp_path / "whole", fabric=_fabric())
    train(pieces, _batches(), Schedule(20, accumulate=4), tmp_path / "pieces", fabric=_fabric())
    assert torch.allclose(pieces.network.weight, whole.network.weight, atol=1e-5)


def test_a_batch_that_micro_batches_do_not_divide_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a batch of 8 cannot be cut into 3 equal parts"):
        train(Mean(), _batches(), Schedule(20, accumulate=3), tmp_path, fabric=_fabric())


class Overfits(Mean):
    """Its held-out figure gets better three times and worse ever after."""

    def __init__(self) -> None:
        super().__init__()
        self.figures = iter([3.0, 2.0, 1.0] + [4.0] * 50)
        self.weights: list[Tensor] = []

    def held_out(self) -> float:
        self.weights.append(self.network.weight.detach().clone())
        return next(self.figures)


def test_patience_ends_training_with_the_best_weights(tmp_path: Path) -> None:
    task = Overfits()
    log = train(task, _batches(), Schedule(200, checkpoint=5, patience=4), tmp_path, fabric=_fabric())
    assert log[-1]["iteration"] == 35
    assert log[-1]["held_out"] == 4
    assert torch.equal(task.network.weight, task.weights[2])
    assert train(task, _batches(), Schedule(200, checkpoint=5, patience=4), tmp_path, fabric=_fabric()) == log


def test_patience_wants_a_held_out_figure(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a held-out figure"):
        train(Mean(), _batches(), Schedule(20, checkpoint=5, patience=2), tmp_path, fabric=_fabric())


@pytest.mark.parametrize("fails", [False, True])
def test_tiny_numbers_are_zero_within_a_step_alone(tmp_path: Path, fails: bool) -> None:
    """What a process takes them for is a matter of all that runs in it."""
    tiny, seen = torch.tensor([1e-30]), []

    class Tiny(Mean):
        def step(self, batch: tuple[Tensor, ...], iteration: int, fabric: Fabric) -> dict[str, float]:
            seen.append((tiny * 1e-10).item())
            if fails:
                raise RuntimeError("out of memory")
            return super().step(batch, iteration, fabric)

    with pytest.raises(RuntimeError) if fails else nullcontext():
        train(Tiny(), _batches(), Schedule(2), tmp_path, fabric=_fabric())
    assert set(seen) == {0.0} and (tiny * 1e-10).item() > 0


def test_losses_go_to_tensorboard(tmp_path: Path) -> None:
    from tensorboardX.proto.event_pb2 import Event

    fabric = build_fabric(accelerator="cpu", tensorboard=tmp_path / "board")
    log = train(Mean(), _batches(), Schedule(40, log=10), tmp_path, fabric=fabric)
    for logger in fabric.loggers:
        logger.finalize("success")
    (file,) = (tmp_path / "board").glob("events*")
    data, tags = file.read_bytes(), []
    while data:
        size = int.from_bytes(data[:8], "little")
        event = Event.FromString(data[12 : 12 + size])
        tags += [(value.tag, event.step, value.simple_value) for value in event.summary.value if value.tag == "loss"]
        data = data[16 + size :]
    assert [(step, round(value, 4)) for _, step, value in tags] == [
        (int(row["iteration"]), round(row["loss"], 4)) for row in log
    ]


def test_balanced_batches_draw_both_classes_alike() -> None:
    stream = iter(_batches())
    share = torch.cat([next(stream)[1] for _ in range(200)]).float().mean().item()
    assert abs(share - 0.5) < 0.05


def test_batches_refuse_what_cannot_be_trained_on() -> None:
    none = torch.zeros(0, 1, 2, 2, dtype=torch.uint8)
    with pytest.raises(ValueError, match="no training images"):
        Batches(none, torch.zeros(0, dtype=torch.long), 4, torch.Generator())
    some = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    with pytest.raises(ValueError, match="needs every class"):
        Batches(some, torch.zeros(3, dtype=torch.long), 4, torch.Generator(), balanced=True)
