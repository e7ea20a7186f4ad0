"""Drawing the images of a study in an order that its seed gives, and counting who was left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.models import Image
from services.images import small_tensor
from services.selection import BATCH, ImageRule, shuffled_patients
from services.workspace import Workspace

if TYPE_CHECKING:
    from cfcore.classifiers.base import Classifier


@dataclass(frozen=True)
class Drawn:
    """Images that meet a rule, one a patient, in the order of the seed.

    patients: in the split. examined: whose image the classifier was shown. other_class: of them, not of the class.
    """

    images: tuple[Image, ...]
    patients: int
    examined: int
    other_class: int


def draw_images(
    workspace: Workspace,
    dataset_id: int,
    classifier: Classifier,
    rule: ImageRule,
    target: int,
    progress: Callable[[float, str], None],
) -> Drawn:
    """The first `rule.n` images that meet the rule (see `services.selection.choose_images`), with the counts."""
    import torch

    from cfcore.classifiers.base import is_class

    pool = shuffled_patients(workspace, dataset_id, rule.split, rule.seed)
    wanted = None if rule.predicted is None else classifier.class_index(rule.predicted)
    chosen: list[Image] = []
    examined = other = 0
    for start in range(0, len(pool), BATCH):
        if len(chosen) >= rule.n:
            break
        progress(start / len(pool), f"choosing images: {len(chosen)} of {min(rule.n, len(pool))}")
        batch = pool[start : start + BATCH]
        with torch.no_grad():
            logits = classifier.logits(small_tensor(workspace, batch, classifier.size))
        meets = ~is_class(logits, target) if wanted is None else is_class(logits, wanted)
        for image, yes in zip(batch, meets.tolist(), strict=True):
            if len(chosen) < rule.n:
                examined += 1
                other += not yes
                chosen += [image] if yes else []
    return Drawn(tuple(chosen), len(pool), examined, other)
