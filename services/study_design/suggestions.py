"""What a new study proposes to readers, by what its images show."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.study.protocol import FINDING_LISTS
from db.models import Dataset, Image

MODALITY_TITLES: Mapping[str, str] = {"MR": "MR images", "CT": "CT images", "US": "Ultrasound images"}
KIND_TITLES: Mapping[str, str] = {"digit": "Digits"}
USUAL_TITLE = "Chest radiographs"
USUAL_LIST = "cardiomegaly"


def neutral_title(session: Session, dataset_id: int | None, number: int) -> str:
    """The readers' title of study `number`: what kind of images, never what is looked for, like "MR images, series 2".

    The modality is that of the data set's first image, chest radiographs where none is known.
    """
    meta = session.scalar(sa.select(Image.meta).where(Image.dataset_id == dataset_id).order_by(Image.id).limit(1)) or {}
    kind = session.scalar(sa.select(Dataset.kind).where(Dataset.id == dataset_id))
    subject = KIND_TITLES.get(kind or "") or MODALITY_TITLES.get(str(meta.get("modality")), USUAL_TITLE)
    return f"{subject}, series {number}"


def suggested_list(session: Session, dataset_id: int | None, class_name: str) -> str:
    """The name of the finding list that fits a class called `class_name`, or else any label of the data set;
    "cardiomegaly" where none does."""
    labels = session.scalars(sa.select(Image.labels).where(Image.dataset_id == dataset_id))
    names = [class_name, *sorted({label for own in labels for label in own})]
    return next((key for name in names for key in FINDING_LISTS if key in name.casefold()), USUAL_LIST)
