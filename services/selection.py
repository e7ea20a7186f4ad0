"""Images by rule and seed: "predicted Healthy, n = 10", one of each patient, none that waits for a person's look."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from cfcore.wording import counted
from db.models import Image
from services.ground_truth import GroundTruth
from services.images import small_tensor
from services.workspace import Workspace

if TYPE_CHECKING:
    from cfcore.classifiers.base import Classifier

SHOWN = ("not needed", "approved")
BATCH = 32


@dataclass(frozen=True)
class ImageRule:
    """Which images: of `split`, that the classifier calls `predicted` (None: anything but the target), the first `n`
    patients in an order drawn from `seed`.

    `case`, one of `ground_truth.CASES`: "correct" takes those alone that the classifier gets right, "error" those whose
    ground truth is the target, so that their way leads to what they are. An image of unknown truth is neither.
    """

    split: str
    n: int
    seed: int
    predicted: str | None = None
    case: str = "all"


def shuffled_patients(workspace: Workspace, dataset_id: int, split: str, seed: int) -> list[Image]:
    """One image of every patient of a split, in an order that follows from the seed and the images' own bytes (so it
    is the same in every workspace that holds them)."""
    return one_of_each(shuffled_images(workspace, dataset_id, split, seed))


def shuffled_images(workspace: Workspace, dataset_id: int, split: str, seed: int) -> list[Image]:
    """All images of a split, in the order of `shuffled_patients`."""
    query = sa.select(Image).where(Image.dataset_id == dataset_id, Image.split == split, Image.look.in_(SHOWN))
    with workspace.session() as session:
        rows = sorted(session.scalars(query), key=lambda image: (image.sha256, image.id))
    return [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]


def one_of_each(images: Iterable[Image]) -> list[Image]:
    """The first image of every patient."""
    first: dict[str, Image] = {}
    for image in images:
        first.setdefault(image.patient, image)
    return list(first.values())


def choose_images(
    workspace: Workspace,
    dataset_id: int,
    classifier: Classifier,
    rule: ImageRule,
    target: int,
    progress: Callable[[float, str], None],
    truths: GroundTruth | None = None,
) -> list[Image]:
    """The images of `rule`, at most `rule.n`; fewer where the split has no more.

    Args:
        truths: how the labels are read; needed for every case but "all".

    Raises:
        ValueError: no image meets the rule; the message tells what the split holds.
    """
    import torch

    images = shuffled_images(workspace, dataset_id, rule.split, rule.seed)
    pool = one_of_each(images)
    wanted = None if rule.predicted is None else classifier.class_index(rule.predicted)
    # Errors are rare: a patient's other images are looked at, too, before one is taken.
    asked = pool if rule.case == "all" else _of_case(images if rule.case == "error" else pool, rule, target, truths)
    chosen: list[Image] = []
    for start in range(0, len(asked), BATCH):
        progress(min(1.0, len(chosen) / rule.n), f"choosing images: {len(chosen)} of {rule.n}")
        batch = asked[start : start + BATCH]
        with torch.no_grad():
            classes = classifier.logits(small_tensor(workspace, batch, classifier.size)).argmax(dim=1).tolist()
        for image, said in zip(batch, classes, strict=True):
            meets = said != target if wanted is None else said == wanted
            # An error is one by its truth, the target, which C does not call it; see `_of_case`.
            if meets and (rule.case != "correct" or (truths is not None and said == truths.class_of(image.labels))):
                chosen.append(image)
        chosen = one_of_each(chosen)
        if len(chosen) >= rule.n:
            break
    if not chosen:
        raise ValueError(_nothing(classifier, rule, target, len(pool), len(asked)))
    return chosen[: rule.n]


def _of_case(pool: list[Image], rule: ImageRule, target: int, truths: GroundTruth | None) -> list[Image]:
    """The images that can be of the rule's case by their ground truth: for an error those of the target class."""
    if truths is None:
        raise ValueError(f"the case {rule.case!r} asks for the ground truth: say how the labels are read")
    classes = [truths.class_of(image.labels) for image in pool]
    is_error = rule.case == "error"
    return [image for image, own in zip(pool, classes, strict=True) if own is not None and (own == target) == is_error]


def _nothing(classifier: Classifier, rule: ImageRule, target: int, patients: int, asked: int) -> str:
    name = classifier.class_names[target]
    called = f"anything but {name}" if rule.predicted is None else rule.predicted
    split = f"the split {rule.split!r} has {patients} patients"
    if rule.case == "error":
        return (
            f"{split}, {counted(asked, 'image')} of theirs {name} by the labels, and the classifier calls none of "
            f"these {called}: no image is wrong in this way; choose another target, split or data set, or do not ask "
            "for wrong ones"
        )
    if rule.case == "correct":
        return (
            f"{split}, {asked} of them known not to be {name}, and the classifier calls none of these {called} "
            "rightly; choose another split, another class or another data set, or do not ask for right ones"
        )
    return (
        f"{split} and the classifier calls none of them {called}; choose another split, another class or another data "
        "set"
    )
