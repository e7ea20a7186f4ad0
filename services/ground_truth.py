"""Which class of a classifier an image truly is, as far as the labels of its data set tell."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.models import Dataset, Image, Model
from services.workspace import Workspace

CASES = ("all", "correct", "error")


@dataclass(frozen=True)
class GroundTruth:
    """How labels name the classes of one classifier.

    Attributes:
        names: the classes. rest: of two classes, the first is whatever does not carry the label of the second, as a
            classifier of one label against all others was trained; it needs no label of its own.
    """

    names: tuple[str, ...]
    rest: bool

    @classmethod
    def of(cls, names: Sequence[str], card: Mapping[str, Any]) -> GroundTruth:
        """For the classifier of a model card, whose settings name the negative label where it was trained with one."""
        return cls(tuple(names), card.get("settings", {}).get("negative") is None)

    def class_of(self, labels: Collection[str]) -> int | None:
        """The class that an image of these labels is; None, unknown, where it carries none or several."""
        carried = [i for i, name in enumerate(self.names) if name in labels]
        if len(self.names) == 2 and self.rest and labels:
            return int(1 in carried)
        return carried[0] if len(carried) == 1 else None

    def needed(self) -> tuple[str, ...]:
        """The labels of which a data set must use one for its images' classes to be known."""
        return self.names[1:] if len(self.names) == 2 and self.rest else self.names

    def known_by(self, labels: Collection[str]) -> bool:
        """Whether the labels of a data set, all together, tell the classes of its images."""
        return not set(self.needed()).isdisjoint(labels)

    def check(self, data_set: str, labels: Collection[str]) -> None:
        """Raises ValueError where the labels of the data set called `data_set` do not tell its images' classes."""
        if not self.known_by(labels):
            raise ValueError(
                f"no image of {data_set!r} is labelled {' or '.join(self.needed())}, so their ground truth is unknown: "
                f"labels are {', '.join(sorted(labels)) or 'none'}; choose a data set of this classifier's classes"
            )


def labels_of(session: Session, dataset_id: int) -> set[str]:
    """Every label that an image of the data set carries."""
    # As text: PostgreSQL cannot compare JSON, and a data set has few different sets of labels.
    rows = session.scalars(sa.select(sa.cast(Image.labels, sa.Text)).where(Image.dataset_id == dataset_id).distinct())
    return {label for row in rows for label in json.loads(row)}


def truths_of(workspace: Workspace, classifier_id: int, names: Sequence[str], dataset_id: int) -> GroundTruth:
    """How the labels of a data set name the classes `names` of a stored classifier. Raises ValueError where they name
    none."""
    with workspace.session() as session:
        card, data_set = session.get_one(Model, classifier_id).card, session.get_one(Dataset, dataset_id).name
        labels = labels_of(session, dataset_id)
    truths = GroundTruth.of(names, card)
    truths.check(data_set, labels)
    return truths
