"""What a search costs: passes through the networks, and what one pass takes in arithmetic and memory traffic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from .config import EigenFindConfig
from .search import most_moves


@dataclass(frozen=True)
class Passes:
    """Forward passes, images through each network; `backward`: images through G and C backwards."""

    encoder: int
    generator: int
    classifier: int
    backward: int = 0

    def __add__(self, other: Passes) -> Passes:
        return Passes(
            self.encoder + other.encoder,
            self.generator + other.generator,
            self.classifier + other.classifier,
            self.backward + other.backward,
        )


def search_passes(n: int, config: EigenFindConfig) -> Passes:
    """Passes of `EigenFind.fit` on n images, basis "sefa": codes and class once an image, the reconstruction, every
    move; with `prerank` one backward pass through the reconstruction. Linear in n and in `scan`; with `race` an upper
    bound."""
    pairs = config.prerank or 2 * config.scan
    moves = most_moves(n, pairs, config)
    return Passes(n, n + moves, 2 * n + moves, n if config.prerank else 0)


def explain_passes(n: int) -> Passes:
    """Passes of `EigenFind.explain(rendering="plain")` on n images that the search has seen: the reconstruction, the
    winner, and C on source, reconstruction and winner for the report. `winners` alone makes n drawings."""
    return Passes(0, 2 * n, 3 * n)


@dataclass(frozen=True)
class Work:
    """flops: floating-point operations of convolutions and matrix products, a multiplication and an addition counted
    apart. bytes: read and written by all operations, as if no cache held anything between two of them."""

    flops: int
    bytes: int

    def seconds(self, flops_per_s: float, bytes_per_s: float) -> float:
        """The roofline: the longer of the time to compute and the time to move."""
        return max(self.flops / flops_per_s, self.bytes / bytes_per_s)


class _Traffic(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            touched = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in touched)
        return out


@torch.no_grad()
def work_of(job: Callable[[], object]) -> Work:
    """Count one run of `job`. FLOPs by torch's own counter."""
    with FlopCounterMode(display=False) as counter:
        job()
    with _Traffic() as traffic:
        job()
    return Work(int(counter.get_total_flops()), traffic.bytes)
