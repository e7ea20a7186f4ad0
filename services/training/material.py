"""What a network is trained and tested on: the images of a split at its size, with their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import torch
from torch import Tensor

from cfcore.classifiers.training import Evaluation, evaluate, predict
from db.models import Image
from services.images import small_tensor
from services.selection import SHOWN
from services.workspace import Workspace


@dataclass(frozen=True)
class Split:
    """Images of one split at a network's size: (n, 1, size, size) uint8 and (n,) labels, 1 is positive."""

    images: Tensor
    labels: Tensor


def load_split(
    workspace: Workspace, dataset_id: int, split: str, size: int, positive: str, negative: str | None = None
) -> Split:
    """The images of a split with label `positive` against the rest, or against label `negative` alone.

    Raises:
        ValueError: no image carries the label; names the labels that there are.
    """
    rows = _rows(workspace, dataset_id, split)
    known = sorted({label for row in rows for label in row.labels})
    if positive not in known:
        raise ValueError(
            f"no image of the {split} split is labelled {positive!r}; labels are {', '.join(known) or 'none'}"
        )
    if negative is not None:
        rows = [row for row in rows if positive in row.labels or negative in row.labels]
    labels = torch.tensor([int(positive in row.labels) for row in rows])
    return Split(_pictures(workspace, rows, size), labels)


def load_pictures(workspace: Workspace, dataset_id: int, split: str, size: int) -> Tensor:
    """(n, 1, size, size) uint8: all images of a split, whatever their labels."""
    return _pictures(workspace, _rows(workspace, dataset_id, split), size)


def _rows(workspace: Workspace, dataset_id: int, split: str) -> list[Image]:
    query = sa.select(Image).where(Image.dataset_id == dataset_id, Image.split == split, Image.look.in_(SHOWN))
    with workspace.session() as session:
        return list(session.scalars(query.order_by(Image.id)))


def _pictures(workspace: Workspace, rows: list[Image], size: int) -> Tensor:
    return (small_tensor(workspace, rows, (size, size)) * 255).round().byte()


def quality_of(classifier: Any, data: Split) -> Evaluation:
    """AUC with its interval, calibration and accuracy on a split."""
    return evaluate(predict(classifier, data.images).double().numpy(), data.labels.numpy())
