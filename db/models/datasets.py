"""Images. No column here ever holds a patient's name, number, date or a file name given by a hospital."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, now


class Dataset(Base):
    """A named set of images. `kind` is "imported", "phantom", "brain" or "generated"; `meta` says how it was made
    (layout, seed, version)."""

    __tablename__ = "dataset"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(default="imported")
    meta: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)
    images: Mapped[list[Image]] = relationship(back_populates="dataset")


class Image(Base):
    """One radiograph.

    `file_key` names its lossless 8- or 16-bit gray PNG in the file store (opaque); `patient` is an HMAC pseudonym;
    `split` is "train", "val" or "test"; `labels` the class or finding names; `max_value` the pixel value of white;
    `look` is "not needed", "waiting", "approved" or "rejected" (burned-in annotation); `meta` holds technical values
    only, for a phantom its seed and factors under "phantom", for a brain slice its lesion and mask under "brain".
    """

    __tablename__ = "image"
    __table_args__ = (UniqueConstraint("file_key"), Index("ix_image_dataset_split", "dataset_id", "split"))
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    file_key: Mapped[str]
    patient: Mapped[str]
    split: Mapped[str]
    labels: Mapped[list[str]] = mapped_column(default=list)
    view: Mapped[str | None]
    width: Mapped[int]
    height: Mapped[int]
    max_value: Mapped[int] = mapped_column(default=255)
    window_centre: Mapped[float | None]
    window_width: Mapped[float | None]
    look: Mapped[str] = mapped_column(default="not needed")
    sha256: Mapped[str]
    meta: Mapped[dict[str, Any]] = mapped_column(default=dict)
    dataset: Mapped[Dataset] = relationship(back_populates="images")


class SkippedRow(Base):
    """A file that could not be imported: its row number in the import and the reason, never its name."""

    __tablename__ = "skipped_row"
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    row_number: Mapped[int]
    reason: Mapped[str]
