"""Images by rule and seed: "predicted Healthy, n = 10", one of each patient, none that waits for a person's look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from db.models import Image
from services.images import small_tensor
from services.workspace import Workspace

if TYPE_CHECKING:
    from cfcore.classifiers.base import Classifier

SHOWN = ("not needed", "approved")
BATCH = 32


@dataclass(frozen=True)
class ImageRule:
    """Which images: of `split`, that the classifier calls `predicted` (None: anything but the target), the first `n`
    patients in an order drawn from `seed`."""

    split: str
    n: int
    seed: int
    predicted: str | None = None


def shuffled_patients(workspace: Workspace, dataset_id: int, split: str, seed: int) -> list[Image]:
    """One image of every patient of a split, in an order that follows from the seed and the images' own bytes (so it
    is the same in every workspace that holds them)."""
    query = sa.select(Image).where(Image.dataset_id == dataset_id, Image.split == split, Image.look.in_(SHOWN))
    with workspace.session() as session:
        rows = sorted(session.scalars(query), key=lambda image: (image.sha256, image.id))
    order = np.random.default_rng(seed).permutation(len(rows))
    first: dict[str, Image] = {}
    for i in order:
        first.setdefault(rows[i].patient, rows[i])
    return list(first.values())


def choose_images(
    workspace: Workspace,
    dataset_id: int,
    classifier: Classifier,
    rule: ImageRule,
    target: int,
    progress: Callable[[float, str], None],
) -> list[Image]:
    """The images of `rule`, at most `rule.n`; fewer where the split has no more.

    Raises:
        ValueError: no image meets the rule; the message tells what the split holds.
    """
    import torch

    from cfcore.classifiers.base import is_class

    pool = shuffled_patients(workspace, dataset_id, rule.split, rule.seed)
    wanted = None if rule.predicted is None else classifier.class_index(rule.predicted)
    chosen: list[Image] = []
    for start in range(0, len(pool), BATCH):
        progress(min(1.0, len(chosen) / rule.n), f"choosing images: {len(chosen)} of {rule.n}")
        batch = pool[start : start + BATCH]
        with torch.no_grad():
            logits = classifier.logits(small_tensor(workspace, batch, classifier.size))
        meets = ~is_class(logits, target) if wanted is None else is_class(logits, wanted)
        chosen += [image for image, yes in zip(batch, meets.tolist(), strict=True) if yes]
        if len(chosen) >= rule.n:
            break
    if not chosen:
        name = f"anything but {classifier.class_names[target]}" if wanted is None else rule.predicted
        raise ValueError(
            f"the split {rule.split!r} has {len(pool)} patients and the classifier calls none of them {name}; "
            "choose another split, another class or another data set"
        )
    return chosen[: rule.n]
