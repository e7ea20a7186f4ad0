"""Explore: one image, one direction, one degree at a time, and fast enough to drag."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from cfcore.rendering import Rendering, keeps_source
from db.models import Image, Run
from services.explain_settings import ExplainSettings
from services.images import Gray, crop_back, read_pixels, square_tensor, to_unit
from services.intended import goes_one_way, wants_probability
from services.pictures import thumbnail_png
from services.runs import RunView, engine_folder, list_runs
from services.selection import SHOWN
from services.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from cfcore.classifiers.base import Classifier
    from cfcore.engines.base import Engine, NamedDirection

# Views hold pixels at the source's size (a 2,000 px radiograph: 50 MB), thumbnails a few kB.
KEPT_ENGINES, KEPT_VIEWS, KEPT_IMAGES, KEPT_THUMBNAILS = 4, 8, 8, 512
THUMBNAIL_SIDE = 128


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

    @property
    def one_way(self) -> bool:
        """The directions are measures of one way: an image is moved by one of them at a time."""
        return goes_one_way(self.engine)

    def wants_probability(self, direction: str) -> bool:
        """Whether a degree of this direction is the probability of the target that is wanted."""
        return wants_probability(self.engine, direction)


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
