"""How often a short search keeps the pairs of the full one: many image sets out of one that was measured in full."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.engines.eigenfind.search import ranked, search
from cfcore.engines.first_order import direction_effects
from cfcore.generators.stylex import StylEx

BATCH = 16
RACES = (2.0, 3.0)
SHORTLISTS = (16, 24, 32)


def over_draws(
    classifier: Classifier,
    generator: StylEx,
    pool: Tensor,
    target: int,
    full: EigenFindConfig,
    *,
    images: int,
    draws: int,
    seed: int,
) -> dict[str, float]:
    """Search (p, channels, *size) `pool` in full once, then again in every short way on random sets of its images.

    A set of `images` (at most three quarters of the pool) is drawn without replacement. A short search is the engine's
    own and reads what was measured in the place of drawing; what it keeps is compared with the `full.k` best of the
    set.

    Returns:
        Per way, "race_2", "race_3", "shortlist_16", ...: <way>_same, share of the sets of which it keeps the same
        pairs; <way>_kept, mean share of the pairs that it keeps; <way>_moves and <way>_moves_max, pictures an image,
        the mean and the largest over the sets.
    """
    engine = EigenFind.fit(classifier, pool, target, replace(full, k=2 * full.scan), generator=generator)
    table = torch.stack([engine.changes[:, i, side] for i in range(full.scan) for side in (0, 1)], dim=1)
    slopes = _slopes(engine, pool, target)
    ways = {f"race_{z:g}": replace(full, race=z) for z in RACES}
    ways |= {f"shortlist_{p}": replace(full, prerank=p) for p in SHORTLISTS if full.k <= p <= 2 * full.scan}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    generate = torch.Generator().manual_seed(seed)
    for _ in range(draws):
        rows = torch.randperm(len(pool), generator=generate)[: min(images, 3 * len(pool) // 4)]
        best, _ = replay(table[rows], slopes[rows], full)
        for name, config in ways.items():
            kept, moves = replay(table[rows], slopes[rows], config)
            found[name].append((len(best & kept) / len(best), moves / len(rows)))
    figures: dict[str, float] = {}
    for name, results in found.items():
        shares, moves_an_image = zip(*results, strict=True)
        figures |= {
            f"{name}_same": sum(share == 1 for share in shares) / draws,
            f"{name}_kept": sum(shares) / draws,
            f"{name}_moves": sum(moves_an_image) / draws,
            f"{name}_moves_max": max(moves_an_image),
        }
    return figures


def _slopes(engine: EigenFind, pool: Tensor, target: int) -> Tensor:
    """(p, scan) first-order changes of the margin per unit of degree."""
    parts = []
    for chunk in pool.split(BATCH):
        with torch.no_grad():
            codes = engine.encode(chunk, target)
        w, label = codes[:, :-1], codes[:, -1].long()
        config = engine.config
        parts.append(
            direction_effects(engine.generator, engine.classifier, w, label, target, engine.basis, config.basis)
        )
    return torch.cat(parts)


def replay(table: Tensor, slopes: Tensor, config: EigenFindConfig) -> tuple[set[tuple[int, int]], int]:
    """The search on (n, 2 scan) measured changes: the (eigenvector, sign) pairs that it keeps, and the moves it asks
    for."""
    asked = 0

    def judge(codes: Tensor, shift: Tensor) -> Tensor:
        nonlocal asked
        moved = shift.ne(0).any(dim=1)
        asked += int(moved.sum())
        pair = 2 * shift.abs().argmax(dim=1) + (shift.sum(dim=1) < 0)
        margin = torch.where(moved, table[codes[:, 0].long(), pair], torch.zeros(()))
        return torch.stack([torch.zeros_like(margin), margin], dim=1)

    n, scan = slopes.shape
    rows = torch.arange(n, dtype=torch.float32)[:, None]
    given = (slopes, torch.zeros(n)) if config.prerank else None
    found = search(judge, rows, torch.eye(scan), 1, config, lambda *_: None, given)
    return {(d.index, d.sign) for d in ranked(found, config) if d.kept}, asked
