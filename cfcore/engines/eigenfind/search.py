"""Phase 1 of Algorithm 1: what every (eigenvector, sign) pair does to every image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from cfcore.classifiers.base import is_class, target_margin

from ..base import NamedDirection, Progress
from .config import SPARE, EigenFindConfig, batch_size
from .race import next_images, order_of, survivors

# (n, d) codes and (n, shift) moves to C's (n, classes) logits of the pictures.
Judge = Callable[[Tensor, Tensor], Tensor]
EIGHTHS = 8


@dataclass(frozen=True)
class Measured:
    """What phase 1 found.

    Attributes:
        changes: (n, scan, 2) change of the target margin (logits) against the image's own reconstruction; nan where
            the pair was not measured on the image. The last axis is the sign: +, -.
        flips: (n, scan, 2) bool, C calls the moved picture the target; False where not measured.
    """

    changes: Tensor
    flips: Tensor

    @property
    def complete(self) -> Tensor:
        """(scan, 2) bool: measured on every image."""
        return ~self.changes.isnan().any(dim=0)


def search(
    judge: Judge,
    codes: Tensor,
    basis: Tensor,
    target: int,
    config: EigenFindConfig,
    progress: Progress,
    slopes: tuple[Tensor, Tensor] | None = None,
) -> Measured:
    """Measure the candidates in full batches over images x eigenvectors x signs.

    Args:
        codes: (n, *) codes of the images. basis: (scan, d) unit rows.
        slopes: (n, scan) first-order change of the margin per unit of degree and (n,) margins of the reconstructions;
            needed for `config.prerank`.
    """
    batch, n, scan = batch_size(codes.device), len(codes), len(basis)
    if slopes is None:
        still = torch.zeros(min(n, batch), basis.shape[1], device=codes.device)
        base = torch.cat([target_margin(judge(chunk, still[: len(chunk)]), target) for chunk in codes.split(batch)])
    else:
        base = slopes[1]
    changes = torch.full((n, 2 * scan), float("nan"), device=codes.device)
    flips = torch.zeros(n, 2 * scan, dtype=torch.bool, device=codes.device)
    moves = torch.stack([basis, -basis], dim=1).flatten(0, 1) * config.degree
    candidates = _candidates(config, scan, slopes)
    total, done = most_moves(n, len(candidates), config), 0
    known = "at most " if config.race else ""
    for rows, pairs in _rounds(changes, candidates.to(codes.device), config):
        for job in torch.cartesian_prod(pairs, rows).view(-1, 2).split(batch):
            pair, image = job.T
            logits = judge(codes[image], moves[pair])
            changes[image, pair] = target_margin(logits, target) - base[image]
            flips[image, pair] = is_class(logits, target)
            done += len(job)
            progress(done / total, f"searched {done} of {known}{total} moves")
    return Measured(changes.view(n, scan, 2), flips.view(n, scan, 2))


def _candidates(config: EigenFindConfig, scan: int, slopes: tuple[Tensor, Tensor] | None) -> Tensor:
    """Numbers of the pairs to measure, 2 * eigenvector + (sign is -), in rising order."""
    if not config.prerank or slopes is None:
        return torch.arange(2 * scan)
    mean = slopes[0].mean(dim=0)
    signed = torch.stack([mean, -mean], dim=1).flatten()
    return signed.argsort(descending=True, stable=True)[: config.prerank].sort().values.cpu()


def _rounds(changes: Tensor, pairs: Tensor, config: EigenFindConfig) -> Iterator[tuple[Tensor, Tensor]]:
    """(rows of the images, pairs to measure on them) of each round; drops pairs by what earlier rounds left in
    `changes`, (n, 2 scan)."""
    n = len(changes)
    if config.race:
        order, seen = order_of(n).to(changes.device), 0
        while seen < n:
            now = next_images(seen, n, len(pairs), config.k)
            yield order[seen : seen + now], pairs
            seen += now
            pairs = pairs[survivors(changes[order[:seen]][:, pairs], config.k, n, config.race)]
        return
    done: list[Tensor] = []
    for rows, count in plan(n, len(pairs), config):
        if done and count < len(pairs):
            mean = changes[torch.cat(done)][:, pairs].mean(dim=0)
            pairs = pairs[mean.argsort(descending=True, stable=True)[:count]]
        done.append(rows.to(changes.device))
        yield done[-1], pairs


def most_moves(n: int, pairs: int, config: EigenFindConfig) -> int:
    """Moves that the search of n images by so many candidates draws; a race draws at most so many."""
    return n * pairs if config.race else sum(len(rows) * count for rows, count in plan(n, pairs, config))


def plan(n: int, pairs: int, config: EigenFindConfig) -> list[tuple[Tensor, int]]:
    """(rows of the images, number of pairs to measure on them), one entry a round.

    The rounds take every eighth image, so that images stored in some order do not decide by it.
    """
    rows, rounds, count = torch.arange(n), [], pairs
    for number in range(config.halving):
        part = rows[rows % EIGHTHS == number]
        if len(part) == 0:
            break
        rounds.append((part, count))
        count = min(count, max(config.k + SPARE, (count + 1) // 2))
    rest = rows[rows % EIGHTHS >= len(rounds)]
    return [*rounds, (rest, count)] if len(rest) else rounds


def ranked(found: Measured, config: EigenFindConfig) -> tuple[NamedDirection, ...]:
    """The (eigenvector, sign) pairs measured on every image, highest mean change first; ties go to the lower
    eigenvector, then to +. The `k` best are kept."""
    mean, explained = found.changes.mean(dim=0), found.flips.float().mean(dim=0)
    pairs = [(int(index), int(side)) for index, side in found.complete.nonzero().tolist()]
    pairs.sort(key=lambda pair: -mean[pair].item())
    allowed = [
        pair
        for pair in pairs
        if not (config.consistent and mean[pair[0], 0].item() > 0 and mean[pair[0], 1].item() > 0)
    ]
    best = set(allowed[: config.k])
    return tuple(
        NamedDirection(
            name=f"v{index + 1} {'+-'[side]}",
            index=index,
            sign=1 - 2 * side,
            mean_change=mean[index, side].item(),
            explained=explained[index, side].item(),
            kept=(index, side) in best,
        )
        for index, side in pairs
    )
