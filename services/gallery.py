"""What a run has made, to look at: pairs of images, losses and sample grids."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cfcore.images.encode import decode_png
from db.models import Counterfactual, Direction, Image
from services.images import read_pixels, to_unit
from services.pictures import gray_png, triptych_png
from services.runs import RunView, training_folder
from services.workspace import Workspace

SHOWN_SIDE = 320


@dataclass(frozen=True)
class GalleryPair:
    """An explained image. `original`, `counterfactual`: PNG for the screen; probabilities of the target class;
    `direction`: the one that flipped it, None where none did."""

    image_id: int
    labels: tuple[str, ...]
    direction: str | None
    degree: float | None
    least_degree: float | None
    tried: int | None
    p_source: float
    p_reconstruction: float
    p_counterfactual: float
    flipped: bool
    flipped_plain: bool
    original: bytes
    counterfactual: bytes


@dataclass(frozen=True)
class GalleryPage:
    """Pairs `first` to `first + len(pairs)` of `total`."""

    pairs: tuple[GalleryPair, ...]
    first: int
    total: int


def gallery(
    workspace: Workspace,
    run_id: int,
    direction: str | None = None,
    flipped: bool | None = None,
    page: int = 0,
    page_size: int = 9,
) -> GalleryPage:
    """A page of the images that a run has explained, in the order in which it did.

    Args:
        direction: only those that this direction flipped. flipped: only those that flipped, or only those that did not.
    """
    query = sa.select(Counterfactual, Direction.name).outerjoin(Direction, Counterfactual.direction_id == Direction.id)
    query = query.where(Counterfactual.run_id == run_id)
    if direction is not None:
        query = query.where(Direction.name == direction)
    if flipped is not None:
        query = query.where(Counterfactual.flipped == flipped)
    with workspace.session() as session:
        total = session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
        page = max(0, min(page, (total - 1) // page_size))
        rows = session.execute(query.order_by(Counterfactual.id).offset(page * page_size).limit(page_size))
        found = [(row, name, session.get_one(Image, row.image_id)) for row, name in rows.tuples()]
    pairs = tuple(_pair(workspace, *item) for item in found)
    return GalleryPage(pairs, page * page_size, total)


def _pair(workspace: Workspace, row: Counterfactual, direction: str | None, image: Image) -> GalleryPair:
    source, moved = _units(workspace, row, image)
    return GalleryPair(
        image_id=row.image_id,
        labels=tuple(image.labels),
        direction=direction,
        degree=row.degree,
        least_degree=row.least_degree,
        tried=row.tried,
        p_source=row.p_source,
        p_reconstruction=row.p_reconstruction,
        p_counterfactual=row.p_counterfactual,
        flipped=row.flipped,
        flipped_plain=bool(row.flipped_plain),
        original=gray_png(source, SHOWN_SIDE),
        counterfactual=gray_png(moved, SHOWN_SIDE),
    )


def _units(workspace: Workspace, row: Counterfactual, image: Image) -> tuple[Any, Any]:
    source = to_unit(read_pixels(workspace, image), image)
    if row.file_key is None:
        return source, source
    return source, to_unit(decode_png(workspace.get(row.file_key)), image)


def pair_picture(workspace: Workspace, run_id: int, image_id: int) -> bytes | None:
    """Original, counterfactual and difference side by side, for the notebook; None where the sizes differ (plain
    rendering of a larger image) or the run has not explained the image."""
    with workspace.session() as session:
        row = session.scalar(
            sa.select(Counterfactual).where(Counterfactual.run_id == run_id, Counterfactual.image_id == image_id)
        )
        image = session.get(Image, image_id)
    if row is None or image is None:
        return None
    source, moved = _units(workspace, row, image)
    return triptych_png(source, moved) if source.shape == moved.shape else None


def losses(workspace: Workspace, run: RunView) -> list[dict[str, float]]:
    """Losses of a training run, also while it runs: dicts with "iteration", "seconds" and one value a loss."""
    if run.result.get("losses"):
        return list(run.result["losses"])
    path = training_folder(workspace, run.id) / "losses.jsonl"
    if not path.exists():
        return []
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break  # The worker is writing this line now.
    return rows[:: max(1, len(rows) // 400)]


def grid(workspace: Workspace, run: RunView) -> bytes | None:
    """The newest sample grid of a training run as PNG, also while it runs."""
    try:
        if key := run.result.get("grid"):
            return workspace.get(key)
        return (training_folder(workspace, run.id) / "grid.png").read_bytes()
    except FileNotFoundError:
        return None
