"""Where and how a training computes: device, precision, and who else gets the losses."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

from lightning_fabric import Fabric

Precision = Literal["32-true", "bf16-mixed"]


def build_fabric(
    precision: Precision = "32-true", *, accelerator: str = "auto", tensorboard: Path | None = None
) -> Fabric:
    """A fabric of one process.

    Args:
        precision: "bf16-mixed" runs the networks under autocast in bfloat16 and keeps weights and optimisers in
            float32. It pays on a GPU; on a CPU without bfloat16 units it is slower. float16 would need scaled losses,
            which second derivatives (R1, path length) do not bear.
        accelerator: "auto" takes a GPU where there is one.
        tensorboard: folder for TensorBoard event files; None writes none.

    Raises:
        ValueError: unknown precision, or no TensorBoard writer is installed.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"no precision {precision!r}; choose from {', '.join(get_args(Precision))}")
    loggers: list[Any] = []
    if tensorboard is not None:
        if find_spec("tensorboardX") is None and find_spec("tensorboard") is None:
            raise ValueError("writing for TensorBoard needs its writer: pip install 'cfreader[tensorboard]'")
        from lightning_fabric.loggers import TensorBoardLogger

        loggers.append(TensorBoardLogger(tensorboard.parent, name=tensorboard.name, version=""))
    return Fabric(accelerator=accelerator, devices=1, precision=precision, loggers=loggers)
