"""Subset selection of AttFind under Table 1's criteria: several coordinates together, until the image is explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cfcore.classifiers.base import resize, target_margin
from cfcore.engines.attfind import AttFind
from cfcore.engines.attfind.engine import JOINT
from cfcore.engines.attfind.select import name_of, pair_of, subset
from cfcore.engines.base import NamedDirection
from cfcore.metrics.explained import Walk
from cfcore.metrics.validity import BATCH, classes_of, judge
from cfcore.rendering import Rendering, keeps_source


@torch.no_grad()
def walk_subsets(
    engine: AttFind,
    images: Tensor,
    target: int,
    directions: Sequence[NamedDirection],
    degree: float,
    *,
    renderings: Sequence[Rendering] = ("plain", "detail transfer"),
) -> Mapping[Rendering, Walk]:
    """`walk_directions` for subset selection: each image adds, of the coordinates of `directions`, the one that raises
    the margin of the generator's own picture most, until what is shown meets every criterion; at most 10.

    In the result `tried` is the size of the subset, `direction` its name ("s417 +, s22 -").
    """
    pairs = [pair_of(entry.name) for entry in directions]
    classes = classes_of(engine.classifier, images)
    small = resize(images, engine.size)
    codes = torch.cat([engine.encode(chunk, target) for chunk in small.split(BATCH)])
    base = _drawn(engine, codes, [()] * len(codes), 0.0)
    faithful = (classes_of(engine.classifier, base) == classes).cpu()
    rows: dict[Rendering, list[_Found]] = {rendering: [] for rendering in renderings}
    for i in range(len(images)):
        for rendering, found in _one(
            engine, images[i : i + 1], base[i : i + 1], codes[i : i + 1], target, pairs, degree, renderings
        ).items():
            rows[rendering].append(found)
    return {rendering: _walk(found, faithful) for rendering, found in rows.items()}


class _Found:
    """What the growing subset of one image did under one rendering."""

    def __init__(self) -> None:
        self.flipped, self.tried, self.l1 = False, 0, float("nan")
        self.name: str | None = None


def _one(
    engine: AttFind,
    image: Tensor,
    base: Tensor,
    codes: Tensor,
    target: int,
    pairs: Sequence[int],
    degree: float,
    renderings: Sequence[Rendering],
) -> dict[Rendering, _Found]:
    found = {rendering: _Found() for rendering in renderings}

    def draw(sets: list[tuple[int, ...]]) -> Tensor:
        return _drawn(engine, codes.expand(len(sets), -1), sets, degree)

    def margins(sets: list[tuple[int, ...]]) -> Tensor:
        drawn = resize(draw(sets), engine.classifier.size)
        return target_margin(torch.cat([engine.classifier.logits(chunk) for chunk in drawn.split(BATCH)]), target).cpu()

    def all_explained(chosen: tuple[int, ...]) -> bool:
        moved = draw([chosen])
        for rendering, state in found.items():
            if state.name is not None:
                continue
            picture = engine.transfer(image, base, moved, rendering)
            verdict = judge(engine.classifier, image if keeps_source(rendering) else base, picture, target)
            state.tried = len(chosen)
            state.flipped |= bool(verdict.flipped)
            if bool(verdict.holds):
                state.name, state.l1 = JOINT.join(name_of(pair) for pair in chosen), verdict.l1.item()
        return all(state.name is not None for state in found.values())

    subset(pairs, margins, all_explained)
    return found


def _drawn(engine: AttFind, codes: Tensor, sets: Sequence[tuple[int, ...]], degree: float) -> Tensor:
    degrees = torch.full((BATCH,), degree, device=codes.device)
    parts = [slice(start, start + BATCH) for start in range(0, len(sets), BATCH)]
    return torch.cat([engine.draw_sets(codes[part], sets[part], degrees) for part in parts])


def _walk(found: Sequence[_Found], faithful: Tensor) -> Walk:
    names = tuple(one.name for one in found)
    return Walk(
        faithful,
        torch.tensor([one.flipped for one in found]),
        torch.tensor([name is not None for name in names]) & faithful,
        names,
        torch.tensor([one.tried for one in found]),
        torch.tensor([one.l1 for one in found], dtype=torch.float32),
    )
