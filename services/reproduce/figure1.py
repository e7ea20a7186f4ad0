"""Figure 1 of seed 000: originals over their counterfactuals, the emerging feature marked."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from cfcore.engines.base import Engine, Progress, silent
from cfcore.engines.eigenfind import Basis, EigenFind, EigenFindConfig
from cfcore.metrics.explained import walk_directions
from cfcore.metrics.marked import Box, change_attribution, strongest_region
from cfcore.metrics.phantom_factors import FACTORS, LABELS, SPREAD, measured_factors
from cfcore.rendering import Rendering
from services.pictures import gray8
from services.reproduce.material import TARGET_CLASS, Images, Shipped, shipped_generators, source_images
from services.reproduce.result import Part, Row, keep, plain, recall, reproduce, results_folder

NAME = "reproduce-eigenfind-figure1"
SOURCES = (
    "cfcore/classifiers/base.py", "cfcore/classifiers/densenet.py", "cfcore/engines/attfind", "cfcore/engines/base.py",
    "cfcore/engines/codes.py", "cfcore/engines/eigenfind", "cfcore/engines/first_order.py", "cfcore/engines/transfer",
    "cfcore/generators/layers.py", "cfcore/generators/stylex", "cfcore/images/phantom", "cfcore/metrics",
    "services/reproduce/material.py", "services/reproduce/result.py", "services/reproduce/figure1.py",
)  # fmt: skip
SIDE, GAP, CAPTION, TITLE = 256, 8, 52, 34
INK, MUTED, MARK = (27, 34, 48), (91, 101, 119), (230, 159, 0)

Gray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Extent:
    """Images on which pairs are ranked, from which the shown ones are taken, shown a generator; scan, k, degree."""

    rank: int = 60
    pool: int = 60
    shown: int = 4
    scan: int = 20
    k: int = 8
    degree: float = 10.0
    every: bool = True


QUICK = Extent(rank=6, pool=6, shown=2, scan=12, every=False)


@dataclass(frozen=True)
class Pair:
    """An original and its counterfactual, (h, w) in [0, 1], and what a caption says of them."""

    original: Gray
    counterfactual: Gray
    row: Row


def figure1(
    quick: bool = False,
    *,
    from_store: bool = False,
    out: Path | None = None,
    rendering: Rendering = "detail transfer",
    basis: Basis = "sefa",
    progress: Progress = silent,
) -> dict[str, Any]:
    """One block a shipped generator: held-out originals that a kept pair explains, below them their counterfactuals at
    256 px with a box around what moves the classifier most (integrated gradients of the change); on phantoms the factor
    that moved most, as measured.

    Shown are the explained images (criteria of table 1) whose probability rises most, other pairs before the same one
    again; where too few are explained, images moved along the best pair, marked as not flipped.

    Figures: shown, flipped, box_share (mean share of what moves C towards t that lies inside the box). Rows: one a
    pair. A full run is stored with its PNG beside it, one for each basis; `out`: another file for the PNG.

    Raises:
        ValueError: no generator is shipped. FileNotFoundError: `from_store`, and nothing is kept.
    """
    generators = [g for g in shipped_generators() if not g.shortcut]
    if not generators:
        raise ValueError("no StylEx generator is shipped under weights/: there is nothing to draw with")
    if from_store:
        return recall(_stored_as(basis), generators)
    extent = QUICK if quick else Extent()
    blocks: list[tuple[str, list[Pair]]] = []

    def work(here: Sequence[Shipped]) -> Part:
        for i, shipped in enumerate(here):
            progress(i / len(here), shipped.name)
            blocks.append((shipped.name, pairs_of(shipped, extent, rendering, basis)))
        rows = [pair.row for _, pairs in blocks for pair in pairs]
        shares = [row["box"]["share"] for row in rows if row["box"]]
        figures = {"shown": float(len(rows)), "flipped": float(sum(row["flipped"] for row in rows))}
        return Part(figures | ({"box_share": float(np.mean(shares))} if shares else {}), rows)

    settings = asdict(extent) | {"rendering": rendering, "basis": basis, "side": SIDE}
    result = reproduce(_stored_as(basis), generators if extent.every else generators[:1], settings, work)
    stored = not quick and not result.settings["left_out"]
    if stored:
        keep(result, generators, SOURCES)
    path = out or (results_folder() / f"{_stored_as(basis)}.png" if stored else None)
    if path is not None:
        path.write_bytes(drawn(blocks))
    return plain(result) | {"picture": str(path) if path else None}


def _stored_as(basis: Basis) -> str:
    return NAME if basis == "sefa" else f"{NAME}-{basis}"


def pairs_of(shipped: Shipped, extent: Extent, rendering: Rendering, basis: Basis = "sefa") -> list[Pair]:
    """The pairs of one generator."""
    classifier, generator = shipped.load()
    rank = source_images(shipped, classifier, "rank", extent.rank).images
    pool = source_images(shipped, classifier, "test", extent.pool, SIDE)
    config = EigenFindConfig(basis=basis, scan=extent.scan, k=extent.k, degree=extent.degree)
    engine = EigenFind.fit(classifier, rank, TARGET_CLASS, config, generator=generator)
    return chosen_pairs(shipped.key, engine, pool, extent, rendering, measured=shipped.source == "phantom")


def chosen_pairs(
    key: str, engine: Engine, pool: Images, extent: Extent, rendering: Rendering, *, measured: bool
) -> list[Pair]:
    """Choose and move `extent.shown` of the pool's images; `measured`: they are phantoms."""
    kept = [d for d in engine.directions() if d.kept]
    walks = walk_directions(engine, pool.images, TARGET_CLASS, kept, extent.degree, renderings=(rendering,))
    names = walks[rendering].direction
    order = sorted(range(len(pool)), key=lambda i: _turn(names, i))
    pairs = []
    for i in order[: extent.shown]:
        name = names[i] or kept[0].name
        found = engine.move(
            pool.images[i : i + 1], TARGET_CLASS, direction=name, degree=extent.degree, rendering=rendering
        )
        # In plain rendering the original stands at the network's size too: its reconstruction, as the base of the move.
        base = found.source if found.counterfactual.shape == found.source.shape else found.reconstruction
        original, moved = base[0, 0].numpy(), found.counterfactual[0, 0].numpy()
        weights = change_attribution(engine.classifier, base, found.counterfactual, TARGET_CLASS)
        box = strongest_region(weights[0].numpy())
        row: Row = {
            "generator": key,
            "direction": name,
            "explained": names[i] is not None,
            "flipped": bool(found.flipped[0]),
            "p_source": float(found.p_source[0]),
            "p_reconstruction": float(found.p_reconstruction[0]),
            "p_counterfactual": float(found.p_counterfactual[0]),
            "box": asdict(box) if box else None,
        }
        row |= moved_factor(original, moved) if measured else {}
        pairs.append(Pair(original, moved, row))
    return pairs


def _turn(names: Sequence[str | None], i: int) -> tuple[bool, int]:
    """Explained images first, and among them other directions before the same one again."""
    return names[i] is None, sum(name == names[i] for name in names[:i])


def moved_factor(original: Gray, moved: Gray) -> Row:
    """The factor of largest standardised change between two phantom-like pictures; {} where one cannot be measured."""
    before, after = (measured_factors(image[None]) for image in (original, moved))
    sizes = {f: abs(after[f][0] - before[f][0]) / SPREAD[f] for f in FACTORS}
    if any(size != size for size in sizes.values()):
        return {}
    factor = max(sizes, key=sizes.__getitem__)
    return {"factor": factor, "before": float(before[factor][0]), "after": float(after[factor][0])}


def drawn(blocks: Sequence[tuple[str, Sequence[Pair]]]) -> bytes:
    """The figure as PNG: a block a generator, originals above, counterfactuals below."""
    blocks = [(title, pairs) for title, pairs in blocks if pairs]
    if not blocks:
        raise ValueError("there is no pair to draw: every generator's images are missing here")
    columns = max(len(pairs) for _, pairs in blocks)
    height = TITLE + 2 * (SIDE + GAP) + CAPTION
    picture = Pillow.new("RGB", (GAP + columns * (SIDE + GAP), len(blocks) * height), "white")
    draw = ImageDraw.Draw(picture)
    for i, (title, pairs) in enumerate(blocks):
        top = i * height
        draw.text((GAP, top + 8), printable(title), fill=INK, font=ImageFont.load_default(17))
        for j, pair in enumerate(pairs):
            left = GAP + j * (SIDE + GAP)
            for k, image in enumerate((pair.original, pair.counterfactual)):
                place = (left, top + TITLE + k * (SIDE + GAP))
                picture.paste(_square(image), place)
                if k and pair.row["box"]:
                    _frame(draw, Box(**pair.row["box"]), place)
            for line, text in enumerate(caption(pair.row)):
                at = (left, top + TITLE + 2 * (SIDE + GAP) + 20 * line)
                draw.text(at, printable(text), fill=MUTED if line else INK, font=ImageFont.load_default(13))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def printable(text: str) -> str:
    """The text with a hyphen for the minus, which Pillow's own font does not have (it would draw a box)."""
    return text.replace("−", "-")


def caption(row: Row) -> list[str]:
    """Direction and probabilities; below, on phantoms, what moved most."""
    end = "" if row["flipped"] else ", not flipped"
    lines = [f"{row['direction'].replace(' -', ' −')}   p {row['p_source']:.2f} to {row['p_counterfactual']:.2f}{end}"]
    if "factor" in row:
        lines.append(f"{LABELS[row['factor']].split(',')[0]} {row['before']:.2f} to {row['after']:.2f}")
    return lines


def _square(image: Gray) -> Pillow.Image:
    return Pillow.fromarray(gray8(image)).resize((SIDE, SIDE), Pillow.Resampling.BICUBIC).convert("RGB")


def _frame(draw: ImageDraw.ImageDraw, box: Box, place: tuple[int, int]) -> None:
    left, top = place
    corners = (left + box.left * SIDE, top + box.top * SIDE, left + box.right * SIDE, top + box.bottom * SIDE)
    draw.rectangle(corners, outline=MARK, width=3)
