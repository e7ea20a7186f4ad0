"""Phase 2 of Algorithm 1 and the least degree: many moves of many images, in full batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

# (b,) numbers of images and (b, d) moves to the (b, channels, *size) pictures and whether what is shown flips, (b,).
Look = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def walk(look: Look, rows: Tensor, moves: Tensor, batch: int) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Walk (p, d) moves in order for each image of `rows`, and leave an image at the first move that flips it.

    Where fewer images are left than fill a batch, their next moves fill it up: one batch costs less than several
    part-filled ones, and the first flip in order still counts.

    Yields:
        (place of the move, rows, their pictures), place -1 with move 0's picture for the images that none flips; after
        every batch, so that a caller can report and stop.
    """
    done, fallback = 0, torch.empty(0)
    order = {int(row): place for place, row in enumerate(rows)}
    while len(rows) and done < len(moves):
        width = min(len(moves) - done, max(1, batch // len(rows)))
        left = []
        for chunk in rows.split(max(1, batch // width)):
            pairs = torch.arange(done, done + width).repeat(len(chunk))
            pictures, flips = look(chunk.repeat_interleave(width), moves[pairs.to(moves.device)])
            pictures, flips = pictures.unflatten(0, (len(chunk), width)), flips.view(len(chunk), width).cpu()
            if done == 0:
                if len(fallback) == 0:
                    fallback = pictures.new_empty(len(order), *pictures.shape[2:])
                fallback[[order[row] for row in chunk.tolist()]] = pictures[:, 0]
            hit, first = flips.any(dim=1), flips.int().argmax(dim=1)
            for place in range(width):
                take = hit & (first == place)
                yield done + place, chunk[take], pictures[take.to(pictures.device), place]
            left.append(chunk[~hit])
        rows, done = torch.cat(left), done + width
    if len(rows):
        yield -1, rows, fallback[[order[row] for row in rows.tolist()]]


def least(look: Look, rows: Tensor, units: Tensor, limit: float, steps: int, batch: int) -> Iterator[Tensor]:
    """Bisect the smallest length in (0, limit] of each move that flips, all (image, unit move) pairs side by side.

    Args:
        rows: (p,) numbers of images. units: (p, d) unit moves.

    Yields:
        (p,) lengths after each of the `steps` halvings, nan where `limit` itself does not flip; only pairs that it
        flips are looked at again.
    """

    def flips(which: Tensor, lengths: Tensor) -> Tensor:
        parts = zip(which.split(batch), lengths.split(batch), strict=True)
        return torch.cat([look(rows[w], units[w] * d[:, None])[1] for w, d in parts])

    every = torch.arange(len(rows), device=units.device)
    high = torch.full((len(rows),), limit, device=units.device)
    reachable = flips(every, high) if len(rows) else every.bool()
    found = torch.where(reachable, high, torch.full_like(high, float("nan")))
    yield found
    which = every[reachable]
    high, low = high[which], torch.zeros_like(high[which])
    for _ in range(steps if len(which) else 0):
        middle = (low + high) / 2
        there = flips(which, middle)
        high, low = torch.where(there, middle, high), torch.where(there, low, middle)
        found[which] = high
        yield found
