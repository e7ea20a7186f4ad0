"""What the Data page shows of one data set: counts by class and split, and a page of its images."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from db.models import Image
from services.selection import SHOWN
from services.workspace import Workspace

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Count:
    """Images and the patients they come from."""

    images: int = 0
    patients: int = 0


@dataclass(frozen=True)
class Thumbnail:
    """An image in the gallery of a data set; `bits` is 8 or 16."""

    id: int
    split: str
    labels: tuple[str, ...]
    width: int
    height: int
    bits: int


def class_table(workspace: Workspace, dataset_id: int) -> dict[str, dict[str, Count]]:
    """label -> split -> counts, with "all images" as the last label; an image with several labels counts in each."""
    query = sa.select(Image.labels, Image.split, Image.patient).where(Image.dataset_id == dataset_id)
    seen: dict[str, dict[str, list[str]]] = {}
    with workspace.session() as session:
        for labels, split, patient in session.execute(query):
            for label in (*labels, *([] if labels else ["no label"]), "all images"):
                seen.setdefault(label, {}).setdefault(split, []).append(patient)
    ordered = [*sorted(label for label in seen if label != "all images"), *(["all images"] if seen else [])]
    return {
        label: {split: Count(len(patients), len(set(patients))) for split, patients in seen[label].items()}
        for label in ordered
    }


def patients_by_split(workspace: Workspace, dataset_id: int) -> dict[str, int]:
    """split -> how many patients have an image there that runs may use (looked at where that is needed)."""
    patients = sa.func.count(sa.distinct(Image.patient))
    query = sa.select(Image.split, patients).where(Image.dataset_id == dataset_id, Image.look.in_(SHOWN))
    with workspace.session() as session:
        return dict(session.execute(query.group_by(Image.split)).tuples().all())


def image_page(
    workspace: Workspace, dataset_id: int, *, split: str = "", label: str = "", start: int = 0, n: int = 24
) -> tuple[list[Thumbnail], int]:
    """`n` images from `start` on, and how many there are in all; images that wait for a look, or were rejected, are not
    among them."""
    query = sa.select(Image).where(Image.dataset_id == dataset_id, Image.look.in_(SHOWN)).order_by(Image.id)
    if split:
        query = query.where(Image.split == split)
    with workspace.session() as session:
        images = [image for image in session.scalars(query) if not label or label in image.labels]
    return [
        Thumbnail(
            image.id,
            image.split,
            tuple(image.labels),
            image.width,
            image.height,
            8 if image.max_value <= 255 else 16,
        )
        for image in images[start : start + n]
    ], len(images)


def waiting_picture(workspace: Workspace, file_key: str, side: int = 640) -> bytes:
    """An 8-bit picture, full range, of an image that nobody has looked at yet. Raises FileNotFoundError."""
    import numpy as np

    from cfcore.images.encode import decode_png
    from services.pictures import gray_png, thumbnail_png

    pixels = decode_png(workspace.get(file_key)).astype(np.float32)
    low, high = float(pixels.min()), float(pixels.max())
    unit = (pixels - low) / (high - low) if high > low else np.zeros_like(pixels)
    return thumbnail_png(unit, side) if max(unit.shape) > side else gray_png(unit, side)
