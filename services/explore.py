"""Explore: one image, one direction, one degree at a time, and fast enough to drag."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from cfcore.rendering import Rendering, keeps_source
from db.models import Counterfactual, Image, Run
from services.images import Gray, crop_back, read_pixels, small_tensor, square_tensor, to_unit
from services.pictures import thumbnail_png
from services.runs import ExplainSettings, RunView, engine_folder, list_runs
from services.selection import SHOWN
from services.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from cfcore.classifiers.base import Classifier
    from cfcore.engines.base import Engine, NamedDirection

# Views hold pixels at the source's size (a 2,000 px radiograph: 50 MB), thumbnails a few kB.
KEPT_ENGINES, KEPT_VIEWS, KEPT_IMAGES, KEPT_THUMBNAILS = 4, 8, 8, 512
THUMBNAIL_SIDE = 128
MOST_CLASSIFIED, CLASSIFIED_AT_ONCE = 400, 16


class NothingToExplore(ValueError):
    """The run has no engine to explore with; the message says why and what to do."""


@dataclass(frozen=True)
class OpenEngine:
    """A fitted engine, ready to use. `target`: index of the class that the run moves to; `target_name` its name."""

    run_id: int
    engine: Engine
    classifier: Classifier
    target: int
    target_name: str
    rendering: Rendering
    classifier_id: int = 0

    @property
    def directions(self) -> tuple[NamedDirection, ...]:
        return self.engine.directions()


@dataclass(frozen=True, eq=False)
class View:
    """One image moved by one degree along one direction.

    Attributes:
        original, reconstruction, counterfactual: (h, w) float32 in [0, 1]; with both transfers original and
            counterfactual have the source's own size, with "plain" all three the network's.
        p_source, p_reconstruction, p_counterfactual: probability of the target class for each.
        flipped: the classifier calls the counterfactual the target. flipped_plain: likewise for the network's own.
    """

    original: Gray
    reconstruction: Gray
    counterfactual: Gray
    p_source: float
    p_reconstruction: float
    p_counterfactual: float
    flipped: bool
    flipped_plain: bool
    direction: str | None
    degree: float
    rendering: Rendering


@dataclass(frozen=True)
class ImageChoice:
    """An image in the list at the side of Explore; `p_source`: probability of the target class."""

    id: int
    split: str
    labels: tuple[str, ...]
    p_source: float


@dataclass(frozen=True)
class ImageChoices:
    """Images in the list, and how many the data set (or its split) has."""

    images: tuple[ImageChoice, ...]
    total: int


_loading = threading.Lock()


def open_engine(workspace: Workspace, run_id: int) -> OpenEngine:
    """The fitted engine of a finished (or still explaining) run, kept in memory for the next call.

    Raises:
        NothingToExplore: the run is of another kind, or has not fitted its engine yet.
    """
    # One at a time: two pages that open the same engine at once would read it twice.
    with _loading:
        return _open_engine(workspace, run_id, stamp_of(workspace, run_id))


def stamp_of(workspace: Workspace, run_id: int) -> float:
    """When the engine was written, so that a run that is done again is not shown with its old engine."""
    try:
        return engine_folder(workspace, run_id).stat().st_mtime
    except FileNotFoundError:
        raise NothingToExplore(
            "This run has not fitted its engine yet. Follow it on the Runs page and come back when it explains images."
        ) from None


@lru_cache(maxsize=KEPT_ENGINES)
def _open_engine(workspace: Workspace, run_id: int, stamp: float) -> OpenEngine:
    from cfcore.engines.registry import engine_class
    from services.models import load_classifier, load_generator

    with workspace.session() as session:
        run = session.get(Run, run_id)
    if run is None or run.kind != "explain" or run.classifier_id is None:
        raise NothingToExplore(f"Run {run_id} explains no images. Choose a run of a counterfactual method.")
    settings = ExplainSettings.of(run.settings)
    classifier = load_classifier(workspace, run.classifier_id)
    generator = None if run.generator_id is None else load_generator(workspace, run.generator_id)
    folder: Path = engine_folder(workspace, run_id)
    engine = engine_class(settings.engine).load(folder, classifier, generator=generator)
    target = classifier.class_index(settings.target)
    return OpenEngine(run_id, engine, classifier, target, settings.target, settings.rendering, run.classifier_id)


def explorable_runs(workspace: Workspace) -> list[RunView]:
    """Runs whose engine is fitted, the newest first."""
    return [run for run in list_runs(workspace, "explain") if engine_folder(workspace, run.id).is_dir()]


def image_choices(
    workspace: Workspace, run_id: int, split: str | None = None, predicted: str | None = None, limit: int = 24
) -> ImageChoices:
    """Images to look at in the run's data set: first those that the run flipped, by the best direction before others,
    then those that it explained without a flip, then the rest.

    Args:
        split: only this split; None for all. predicted: only images that the classifier calls this class; looks
            through at most MOST_CLASSIFIED images for them.
        limit: at most so many.

    Raises:
        NothingToExplore: the run has no engine yet.
    """
    opened = open_engine(workspace, run_id)
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
        images = session.scalars(
            query.outerjoin(Counterfactual, explained).order_by(*order).limit(MOST_CLASSIFIED)
        ).all()
    choices: list[ImageChoice] = []
    for start in range(0, len(images), CLASSIFIED_AT_ONCE):
        batch = images[start : start + CLASSIFIED_AT_ONCE]
        for image, share in zip(batch, _probabilities(workspace, opened, batch), strict=True):
            is_target = share > 0.5
            if predicted is None or is_target == (predicted == opened.target_name):
                choices.append(ImageChoice(image.id, image.split, tuple(image.labels), share))
        if len(choices) >= limit:
            break
    return ImageChoices(tuple(choices[:limit]), total)


_known: dict[tuple[Path, int, int, int], float] = {}


def _probabilities(workspace: Workspace, opened: OpenEngine, images: Sequence[Image]) -> list[float]:
    """Probability of the target class for stored images; each is computed once a process."""
    import torch

    keys = [(workspace.folder, opened.classifier_id, opened.target, image.id) for image in images]
    missing = [(key, image) for key, image in zip(keys, images, strict=True) if key not in _known]
    if missing:
        small = small_tensor(workspace, [image for _, image in missing], opened.classifier.size)
        with torch.no_grad():
            found = opened.engine.probability(small, opened.target)
        _known.update({key: float(share) for (key, _), share in zip(missing, found, strict=True)})
    return [_known[key] for key in keys]


@lru_cache(maxsize=KEPT_THUMBNAILS)
def thumbnail(workspace: Workspace, image_id: int) -> bytes:
    """A small PNG of an image."""
    image = _image(workspace, image_id)
    return thumbnail_png(to_unit(read_pixels(workspace, image), image), THUMBNAIL_SIDE)


def explore(
    workspace: Workspace, run_id: int, image_id: int, direction: str | None, degree: float, rendering: Rendering
) -> View:
    """Move one image by `degree` along `direction`. The same call twice gives the same bytes.

    Raises:
        NothingToExplore: the run has no engine, or the image is gone or waits for a person's look.
        ValueError: the engine has no such direction; the message lists those it has.
    """
    stamp = stamp_of(workspace, run_id)
    return _view(workspace, run_id, stamp, image_id, direction, float(degree), rendering)


@lru_cache(maxsize=KEPT_VIEWS)
def _view(
    workspace: Workspace,
    run_id: int,
    stamp: float,
    image_id: int,
    direction: str | None,
    degree: float,
    rendering: Rendering,
) -> View:
    opened = open_engine(workspace, run_id)
    image = _image(workspace, image_id)
    source = _tensor(workspace, image_id)
    found = opened.engine.move(source, opened.target, direction=direction, degree=degree, rendering=rendering)
    shape = (image.height, image.width)
    if keeps_source(rendering):
        original, moved = (crop_back(part[0, 0].numpy(), shape) for part in (found.source, found.counterfactual))
    else:
        original, moved = _area(source, opened.engine.size), found.counterfactual[0, 0].numpy()
    return View(
        original=original,
        reconstruction=found.reconstruction[0, 0].numpy(),
        counterfactual=moved,
        p_source=float(found.p_source[0]),
        p_reconstruction=float(found.p_reconstruction[0]),
        p_counterfactual=float(found.p_counterfactual[0]),
        flipped=bool(found.flipped[0]),
        flipped_plain=bool(found.flipped_plain[0]),
        direction=direction,
        degree=degree,
        rendering=rendering,
    )


@lru_cache(maxsize=KEPT_IMAGES)
def _tensor(workspace: Workspace, image_id: int) -> Tensor:
    return square_tensor(workspace, _image(workspace, image_id))


def source_of(workspace: Workspace, image_id: int) -> tuple[Tensor, tuple[int, int]]:
    """A stored image as a (1, 1, s, s) tensor in [0, 1], padded to a square, and its own (height, width).

    Raises NothingToExplore: it is gone, or waits for a person's look.
    """
    image = _image(workspace, image_id)
    return _tensor(workspace, image_id), (image.height, image.width)


def _area(source: Tensor, size: tuple[int, ...]) -> Gray:
    from cfcore.classifiers.base import resize

    return resize(source, size)[0, 0].numpy()


def _image(workspace: Workspace, image_id: int) -> Image:
    with workspace.session() as session:
        image = session.get(Image, image_id)
    if image is None or image.look not in SHOWN:
        raise NothingToExplore("This image is not in the data set any more, or waits for a person's look.")
    return image
