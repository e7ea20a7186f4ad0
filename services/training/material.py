"""What a network is trained and tested on: the images of a split at its size, with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.classifiers.several import SeveralEvaluation, evaluate_several, probabilities
from cfcore.classifiers.training import Evaluation, evaluate, predict
from cfcore.wording import counted
from db.models import Image
from services.images import small_tensor
from services.selection import SHOWN
from services.workspace import Workspace


@dataclass(frozen=True)
class Split:
    """Images of one split at a network's size: (n, 1, size, size) uint8 and (n,) labels: 1 is positive, or the
    index of the class."""

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


def load_classes(workspace: Workspace, dataset_id: int, split: str, size: int, classes: Sequence[str]) -> Split:
    """The images of a split that carry one of the labels `classes`; a label is its place among them. Images that carry
    other labels only are left out.

    Raises:
        ValueError: an image carries two of the labels or no label at all, or no image carries one of them.
    """
    rows = _rows(workspace, dataset_id, split)
    known = sorted({label for row in rows for label in row.labels})
    if absent := [name for name in classes if name not in known]:
        raise ValueError(
            f"no image of the {split} split is labelled {', '.join(absent)}; labels are {', '.join(known) or 'none'}"
        )
    carried = [[i for i, name in enumerate(classes) if name in row.labels] for row in rows]
    two, none = sum(len(own) > 1 for own in carried), sum(not row.labels for row in rows)
    if two or none:
        raise ValueError(
            f"of the {counted(len(rows), 'image')} of the {split} split {two} carry more than one of the classes and "
            f"{none} no label: each must carry exactly one, so choose classes that exclude each other, or train one "
            "label against the rest"
        )
    rows = [row for row, own in zip(rows, carried, strict=True) if own]
    return Split(_pictures(workspace, rows, size), torch.tensor([own[0] for own in carried if own]))


def load_pictures(workspace: Workspace, dataset_id: int, split: str, size: int) -> Tensor:
    """(n, 1, size, size) uint8: all images of a split, whatever their labels."""
    return _pictures(workspace, _rows(workspace, dataset_id, split), size)


def _rows(workspace: Workspace, dataset_id: int, split: str) -> list[Image]:
    query = sa.select(Image).where(Image.dataset_id == dataset_id, Image.split == split, Image.look.in_(SHOWN))
    with workspace.session() as session:
        return list(session.scalars(query.order_by(Image.id)))


def _pictures(workspace: Workspace, rows: list[Image], size: int) -> Tensor:
    return (small_tensor(workspace, rows, (size, size)) * 255).round().byte()


def quality_of(classifier: Classifier, data: Split) -> Evaluation | SeveralEvaluation:
    """On a split, for two classes: AUC with its interval, calibration and accuracy; for more: accuracy with its
    interval, macro AUC and calibration."""
    labels = data.labels.numpy()
    if len(classifier.class_names) > 2:
        found = probabilities(classifier, data.images).double().numpy()
        return evaluate_several(found, labels, classifier.class_names)
    return evaluate(predict(classifier, data.images).double().numpy(), labels)
