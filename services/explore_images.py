"""The list of images at the side of Explore: which ones, in which order, and what the classifier says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from db.models import Counterfactual, Image, Run
from services.explore import OpenEngine, open_engine
from services.ground_truth import CASES, GroundTruth, truths_of
from services.images import small_tensor
from services.selection import SHOWN
from services.workspace import Workspace

MOST_CLASSIFIED, CLASSIFIED_AT_ONCE = 400, 16


@dataclass(frozen=True)
class ImageChoice:
    """An image in the list; `p_source`: probability of the target class. `right`: whether the classifier calls it what
    it is by its labels, None where they do not tell."""

    id: int
    split: str
    labels: tuple[str, ...]
    p_source: float
    right: bool | None = None


@dataclass(frozen=True)
class ImageChoices:
    """Images in the list, and how many the data set (or its split) has."""

    images: tuple[ImageChoice, ...]
    total: int


def truths_known(workspace: Workspace, run_id: int) -> GroundTruth | None:
    """How the labels of the run's data set name the classes of its classifier; None where they name none.

    Raises:
        NothingToExplore: the run has no engine yet.
    """
    opened = open_engine(workspace, run_id)
    with workspace.session() as session:
        dataset_id = session.get_one(Run, run_id).dataset_id
    assert dataset_id is not None
    try:
        return truths_of(workspace, opened.classifier_id, opened.classifier.class_names, dataset_id)
    except ValueError:
        return None


def image_choices(
    workspace: Workspace,
    run_id: int,
    split: str | None = None,
    predicted: str | None = None,
    limit: int = 24,
    case: str = "all",
) -> ImageChoices:
    """Images to look at in the run's data set: first those that the run flipped, by the best direction before others,
    then those that it explained without a flip, then the rest.

    Args:
        split: only this split; None for all. predicted: only images that the classifier calls this class; looks
            through at most MOST_CLASSIFIED images for them.
        limit: at most so many.
        case: one of `ground_truth.CASES`: "correct" or "error" takes only images that the classifier gets right or
            wrong, of at most MOST_CLASSIFIED whose ground truth is known. Unknown truth is neither.

    Raises:
        NothingToExplore: the run has no engine yet.
        ValueError: no such class or case; the message lists those there are.
    """
    if case not in CASES:
        raise ValueError(f"no case {case!r}: choose one of {', '.join(CASES)}")
    opened = open_engine(workspace, run_id)
    wanted = None if predicted is None else opened.classifier.class_index(predicted)
    truths = truths_known(workspace, run_id)
    images, total = _listed(workspace, run_id, split, MOST_CLASSIFIED if case == "all" else None)
    choices: list[ImageChoice] = []
    kept = [(image, truths.class_of(image.labels) if truths else None) for image in images]
    if case != "all":
        kept = [(image, truth) for image, truth in kept if truth is not None]
    kept = kept[:MOST_CLASSIFIED]
    for start in range(0, len(kept), CLASSIFIED_AT_ONCE):
        batch = kept[start : start + CLASSIFIED_AT_ONCE]
        said = _classified(workspace, opened, [image for image, _ in batch])
        for (image, truth), (share, called) in zip(batch, said, strict=True):
            right = None if truth is None else called == truth
            if wanted in (None, called) and (case == "all" or right is (case == "correct")):
                choices.append(ImageChoice(image.id, image.split, tuple(image.labels), share, right))
        if len(choices) >= limit:
            break
    return ImageChoices(tuple(choices[:limit]), total)


def _listed(workspace: Workspace, run_id: int, split: str | None, most: int | None) -> tuple[list[Image], int]:
    """Images of the list in its order, the first `most`, and how many there are."""
    with workspace.session() as session:
        run = session.get_one(Run, run_id)
        explained = sa.and_(Counterfactual.run_id == run_id, Counterfactual.image_id == Image.id)
        query = sa.select(Image).where(Image.dataset_id == run.dataset_id, Image.look.in_(SHOWN))
        if split is not None:
            query = query.where(Image.split == split)
        total = session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
        # Directions are stored best first, so the first picture that a person sees is one that the best one flips.
        order = (
            Counterfactual.id.is_(None),
            sa.not_(Counterfactual.flipped),
            Counterfactual.direction_id.is_(None),
            Counterfactual.direction_id,
            Image.id,
        )
        images = session.scalars(query.outerjoin(Counterfactual, explained).order_by(*order).limit(most)).all()
    return list(images), total


_known: dict[tuple[Path, int, int, int], tuple[float, int]] = {}


def _classified(workspace: Workspace, opened: OpenEngine, images: Sequence[Image]) -> list[tuple[float, int]]:
    """Probability of the target class and what the classifier calls each stored image; computed once a process."""
    import torch

    from cfcore.classifiers.base import target_margin

    keys = [(workspace.folder, opened.classifier_id, opened.target, image.id) for image in images]
    missing = [(key, image) for key, image in zip(keys, images, strict=True) if key not in _known]
    if missing:
        small = small_tensor(workspace, [image for _, image in missing], opened.classifier.size)
        with torch.no_grad():
            logits = opened.engine.judge(small)
        shares, classes = target_margin(logits, opened.target).sigmoid().tolist(), logits.argmax(dim=1).tolist()
        rows = zip(missing, shares, classes, strict=True)
        _known.update({key: (share, called) for (key, _), share, called in rows})
    return [_known[key] for key in keys]
