"""Heat maps over an image on Explore: the map of the run's own method, those of its classifier alone, and those of a
medXGAN generator for it."""

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
from services.latent_maps import IG_STEPS, LATENT_MAPS, Source, latent_map, source_for
from services.paths import encoded
from services.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from cfcore.attribution.names import Baseline as Start
    from cfcore.classifiers.base import Classifier

KEPT_MAPS = 64
OWN = "own"


@dataclass(frozen=True)
class Baseline:
    """Where the path of a map starts. `missing`, `wait`: see MapChoice."""

    key: str
    title: str
    missing: str = ""
    wait: str = ""


@dataclass(frozen=True)
class MapChoice:
    """A map that can be laid over an image of a run.

    Attributes:
        signed: negative pixels speak for the target; without a sign larger values matter more.
        about: what it is, in a sentence without a full stop. group: what it is made from.
        missing: why it cannot be had and what to do, in a sentence; empty where it can.
        wait: what to know while it is computed, where that may take long; a sentence.
        baselines: the same map from several starts, each with a key of its own; the first has that of the map.
    """

    key: str
    title: str
    signed: bool
    about: str
    group: str
    missing: str = ""
    wait: str = ""
    baselines: tuple[Baseline, ...] = ()


@dataclass(frozen=True, eq=False)
class HeatMap:
    """How much every pixel matters for what the classifier thinks of an image, against the target.

    Attributes:
        values: (h, w) float32 over the image padded to a square, at the size of the network that was asked.
        signed: negative pixels speak for the target.
    """

    values: npt.NDArray[np.float32]
    signed: bool


RUN, CLASSIFIER, GENERATOR = "This run", "The classifier alone", "With a medXGAN generator"
SEARCH = "First the search for the image's latent code, once for all maps: some seconds."


def _gradcam(classifier: Classifier, images: Tensor, target: int) -> Tensor:
    from cfcore.attribution.gradcam import gradcam
    from cfcore.attribution.score import Score

    return gradcam(Score(classifier, target, against=True), images)


def _gradients(baseline: Start) -> Callable[[Classifier, Tensor, int], Tensor]:
    def work(classifier: Classifier, images: Tensor, target: int) -> Tensor:
        from cfcore.attribution.ig import integrated_gradients
        from cfcore.attribution.score import Score

        score = Score(classifier, target, against=True)
        return integrated_gradients(score, images, baseline, steps=IG_STEPS).values

    return work


# (1, channels, *size) images at a classifier's size -> (1, 1, *size); and whether the values have a sign.
_OF_CLASSIFIER: dict[str, tuple[Callable[[Classifier, Tensor, int], Tensor], bool]] = {
    "gradcam": (_gradcam, False),
    "ig": (_gradients("black"), True),
    "ig mean": (_gradients("mean"), True),
    "ig blur": (_gradients("blur"), True),
}


def maps_of(workspace: Workspace, opened: OpenEngine) -> tuple[MapChoice, ...]:
    """What can be laid over an image of a run, beside the change that is shown: the method's own map, where it has one,
    those of the classifier, and those of a medXGAN generator for it; one that cannot be had says why."""
    from cfcore.engines.base import Engine

    kind, source = type(opened.engine), source_for(workspace, opened)
    through = f", through {source.name}" if source.name else ""
    realisation = f"Drawn as {opened.target_name}"
    baselines = (
        Baseline("ig", "Black"),
        Baseline("ig mean", "The image's mean"),
        Baseline("ig blur", "The image, blurred"),
        Baseline("ig realisation", realisation, source.missing, SEARCH),
    )
    changes = f"What the generator changes from the image to the image as {opened.target_name}{through}"
    along = f"How each pixel speaks for or against the target, on the way that the generator draws{through}"
    choices = (
        MapChoice(
            "gradcam",
            "Grad-CAM",
            False,
            "Where the classifier's last feature maps speak against the target",
            CLASSIFIER,
        ),
        MapChoice(
            "ig",
            "Integrated gradients",
            True,
            "How each pixel speaks for or against the target, from the baseline",
            CLASSIFIER,
            baselines=baselines,
        ),
        MapChoice("lig", "LIG, as published", True, along, GENERATOR, source.missing, SEARCH),
        MapChoice("lig path", "LIG-path", True, f"{along}; adds up", GENERATOR, source.missing, SEARCH),
        MapChoice("medxgan difference", "medXGAN difference", False, changes, GENERATOR, source.missing, SEARCH),
    )
    if kind.attribution is Engine.attribution:
        return choices
    title = METHODS[kind.name].short if kind.name in METHODS else kind.title
    own = MapChoice(OWN, title, kind.signed_attribution, "The map of this run's own method", RUN)
    same = _key_of_own(opened)
    return (own, *(choice for choice in choices if choice.key != same))


def _key_of_own(opened: OpenEngine) -> str | None:
    """The map of the classifier or of a generator that the run's own is; IG has other baselines, and stays."""
    from cfcore.engines.ablation import LIGConfig

    name, config = type(opened.engine).name, getattr(opened.engine, "config", None)
    if isinstance(config, LIGConfig):
        return {"published": "lig", "path": "lig path"}.get(config.form)
    return None if name == "ig" else name


def heat_map(workspace: Workspace, run_id: int, image_id: int, key: str) -> HeatMap:
    """The map `key` of `maps_of`, or of one of its baselines, for an image, kept for the next call. The same call twice
    gives the same bytes.

    Raises:
        NothingToExplore: the run has no engine, or the image is gone or waits for a person's look.
        ValueError: the run has no such map, its classifier allows none, or there is no generator for it; the message
            says what to do.
    """
    source_of(workspace, image_id)  # An image that may not be shown any more may still be in the cache.
    opened = open_engine(workspace, run_id)
    known = {choice.key: choice for choice in maps_of(workspace, opened)}
    keys = list(dict.fromkeys(key for one in known.values() for key in (one.key, *(b.key for b in one.baselines))))
    if key not in keys:
        raise ValueError(f"no map {key!r} of this run; there are {', '.join(keys)}")
    try:
        # One at a time: of two pages that ask for the same map the second one finds it. A search for latents takes
        # longer than all else, so nobody waits for it who asks for another kind of map.
        if key in LATENT_MAPS:
            with _searching:
                source = source_for(workspace, opened)
                return _of_generator(workspace, opened.classifier_id, source, opened.target, image_id, key)
        with _looking:
            if key == OWN:
                return _own(workspace, run_id, stamp_of(workspace, run_id), image_id, known[key].signed)
            return _of_classifier(workspace, opened.classifier_id, opened.target, image_id, key)
    except TypeError as error:
        raise ValueError(str(error)) from error


_looking, _searching = threading.Lock(), threading.Lock()


@lru_cache(maxsize=KEPT_MAPS)
def _own(workspace: Workspace, run_id: int, stamp: float, image_id: int, signed: bool) -> HeatMap:
    opened = open_engine(workspace, run_id)
    found = encoded(workspace, run_id, stamp, image_id)
    return _heat(opened.engine.attribution(found.codes, found.small, opened.target), signed)


@lru_cache(maxsize=KEPT_MAPS)
def _of_generator(
    workspace: Workspace, classifier_id: int, source: Source, target: int, image_id: int, key: str
) -> HeatMap:
    """Whatever the run: all of a classifier's runs that search latents in the same way share these maps."""
    return _heat(latent_map(workspace, classifier_id, source, target, image_id, key), LATENT_MAPS[key].signed)


@lru_cache(maxsize=KEPT_MAPS)
def _of_classifier(workspace: Workspace, classifier_id: int, target: int, image_id: int, key: str) -> HeatMap:
    """Whatever the run: all of a classifier's runs share its maps."""
    from cfcore.classifiers.base import resize
    from services.models import load_classifier

    classifier, (work, signed) = load_classifier(workspace, classifier_id), _OF_CLASSIFIER[key]
    values = work(classifier, resize(source_of(workspace, image_id)[0], classifier.size), target)
    return _heat(values, signed)


def _heat(values: Tensor, signed: bool) -> HeatMap:
    return HeatMap(values[0, 0].detach().float().numpy(), signed)
