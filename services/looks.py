"""A person's look at images that may carry text in their pixels, before anything else may use them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from db.events import record
from db.models import Image
from services.workspace import Workspace


@dataclass(frozen=True)
class WaitingImage:
    """An image that nobody has looked at; its pixels are under `file_key`."""

    id: int
    dataset_id: int
    file_key: str
    width: int
    height: int


def images_waiting(workspace: Workspace, dataset_id: int | None = None) -> list[WaitingImage]:
    """Images whose header said, or left open, that text is burned in; oldest first."""
    query = sa.select(Image).where(Image.look == "waiting").order_by(Image.id)
    if dataset_id is not None:
        query = query.where(Image.dataset_id == dataset_id)
    with workspace.session() as session:
        rows = session.scalars(query).all()
    return [WaitingImage(r.id, r.dataset_id, r.file_key, r.width, r.height) for r in rows]


def approve_image(workspace: Workspace, image_id: int, actor: str) -> None:
    """The image shows nothing that tells who it is: from now on it may be used. ValueError if it does not wait."""
    _decide(workspace, image_id, actor, "approved")


def reject_image(workspace: Workspace, image_id: int, actor: str) -> None:
    """The image shows who it is: its pixels are deleted, only the row stays. ValueError if it does not wait."""
    workspace.delete(_decide(workspace, image_id, actor, "rejected"))


def _decide(workspace: Workspace, image_id: int, actor: str, look: str) -> str:
    with workspace.session() as session:
        image = session.get(Image, image_id)
        if image is None or image.look != "waiting":
            state = "is not there" if image is None else f"is {image.look}"
            raise ValueError(f"Image {image_id} does not wait for a look: it {state}.")
        image.look = look
        record(session, actor, f"image {look}", f"image {image_id}")
        return image.file_key
