"""Heat maps over an image on Explore: the map of the run's own method, and maps of its classifier alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cfcore.engines.catalogue import METHODS
from services.explore import OpenEngine, open_engine, source_of, stamp_of
from services.paths import encoded
from services.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from cfcore.classifiers.base import Classifier

KEPT_MAPS = 64
IG_STEPS = 32  # while a person waits; experiments take 50 (docs/methods/attribution.md has both gaps)
OWN = "own"


@dataclass(frozen=True)
class MapChoice:
    """A map that can be laid over an image of a run. `signed`: negative pixels speak for the target; without a sign
    larger values matter more. `about`: what it is, in a sentence without a full stop."""

    key: str
    title: str
    signed: bool
    about: str


@dataclass(frozen=True, eq=False)
class HeatMap:
    """How much every pixel matters for what the classifier thinks of an image, against the target.

    Attributes:
        values: (h, w) float32 over the image padded to a square, at the size of the network that was asked.
        signed: negative pixels speak for the target.
    """

    values: npt.NDArray[np.float32]
    signed: bool


@dataclass(frozen=True)
class _ClassifierMap:
    """A map that needs a classifier only: (1, channels, *size) images at its size -> (1, 1, *size)."""

    choice: MapChoice
    work: Callable[[Classifier, Tensor, int], Tensor]


def _gradcam(classifier: Classifier, images: Tensor, target: int) -> Tensor:
    from cfcore.attribution.gradcam import gradcam
    from cfcore.attribution.score import Score

    return gradcam(Score(classifier, target, against=True), images)


def _gradients(classifier: Classifier, images: Tensor, target: int) -> Tensor:
    from cfcore.attribution.ig import integrated_gradients
    from cfcore.attribution.score import Score

    return integrated_gradients(Score(classifier, target, against=True), images, steps=IG_STEPS).values


_OF_CLASSIFIER = {
    entry.choice.key: entry
    for entry in (
        _ClassifierMap(
            MapChoice(
                "gradcam", "Grad-CAM", False, "Where the classifier's last feature maps speak against the target"
            ),
            _gradcam,
        ),
        _ClassifierMap(
            MapChoice(
                "ig", "Integrated gradients", True, "How each pixel speaks for or against the target, from black"
            ),
            _gradients,
        ),
    )
}


def maps_of(opened: OpenEngine) -> tuple[MapChoice, ...]:
    """What can be laid over an image of a run, beside the change that is shown: the method's own map, where it has one,
    and those of the classifier."""
    from cfcore.engines.base import Engine

    kind = type(opened.engine)
    title = METHODS[kind.name].short if kind.name in METHODS else kind.title
    of_classifier = [entry.choice for key, entry in _OF_CLASSIFIER.items() if key != kind.name]
    if kind.attribution is Engine.attribution:
        return tuple(of_classifier)
    own = MapChoice(OWN, title, kind.signed_attribution, "The map of this run's own method")
    return (own, *of_classifier)


def heat_map(workspace: Workspace, run_id: int, image_id: int, key: str) -> HeatMap:
    """The map `key` of `maps_of` for an image, kept for the next call. The same call twice gives the same bytes.

    Raises:
        NothingToExplore: the run has no engine, or the image is gone or waits for a person's look.
        ValueError: the run has no such map, or its classifier allows none; the message says what to do.
    """
    source_of(workspace, image_id)  # An image that may not be shown any more may still be in the cache.
    # One at a time: of two pages that ask for the same map the second one finds it.
    with _looking:
        try:
            return _heat_map(workspace, run_id, stamp_of(workspace, run_id), image_id, key)
        except TypeError as error:
            raise ValueError(str(error)) from error


_looking = threading.Lock()


@lru_cache(maxsize=KEPT_MAPS)
def _heat_map(workspace: Workspace, run_id: int, stamp: float, image_id: int, key: str) -> HeatMap:
    opened = open_engine(workspace, run_id)
    known = {choice.key: choice for choice in maps_of(opened)}
    if key not in known:
        raise ValueError(f"no map {key!r} of this run; there are {', '.join(known)}")
    if key != OWN:
        return _of_classifier(workspace, opened.classifier_id, opened.target, image_id, key)
    found = encoded(workspace, run_id, stamp, image_id)
    values = opened.engine.attribution(found.codes, found.small, opened.target)
    return _heat(values, known[key].signed)


@lru_cache(maxsize=KEPT_MAPS)
def _of_classifier(workspace: Workspace, classifier_id: int, target: int, image_id: int, key: str) -> HeatMap:
    """Whatever the run: all of a classifier's runs share its maps."""
    from cfcore.classifiers.base import resize
    from services.models import load_classifier

    classifier, entry = load_classifier(workspace, classifier_id), _OF_CLASSIFIER[key]
    values = entry.work(classifier, resize(source_of(workspace, image_id)[0], classifier.size), target)
    return _heat(values, entry.choice.signed)


def _heat(values: Tensor, signed: bool) -> HeatMap:
    return HeatMap(values[0, 0].detach().float().numpy(), signed)
