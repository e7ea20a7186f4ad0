"""Maps that need a medXGAN generator: latent Integrated Gradients, medXGAN's difference, IG from a realisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cfcore.engines.ablation.config import DifferenceConfig, LatentConfig, LIGConfig
from cfcore.engines.catalogue import METHODS
from cfcore.engines.medxgan.config import MedXGANConfig
from db.models import Model, Run
from services.explore import OpenEngine, source_of
from services.run_kinds import TRAIN, title_of
from services.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from cfcore.engines.ablation import Ablation

KIND = METHODS["medxgan"].generator_kind
IG_STEPS = 32  # while a person waits; experiments take 50 (docs/methods/attribution.md has both gaps)

# How an image's latents are searched, as `LatentConfig` names it: (("search", 10_000), ...).
Search = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Source:
    """Where latent maps of a classifier come from.

    Attributes:
        generator: id of the medXGAN generator; None where there is none, and `missing` says why and what to do.
        name: its name. search: how latents are searched: as by the run, where it searches any.
    """

    generator: int | None
    name: str = ""
    missing: str = ""
    search: Search = ()


@dataclass(frozen=True)
class LatentMap:
    """`method`: (settings of the search) -> settings of the method whose map it is. `signed`: see `MapChoice`."""

    method: Callable[..., LatentConfig]
    signed: bool


LATENT_MAPS: dict[str, LatentMap] = {
    "lig": LatentMap(lambda **search: LIGConfig(form="published", **search), True),
    "lig path": LatentMap(lambda **search: LIGConfig(form="path", **search), True),
    "medxgan difference": LatentMap(DifferenceConfig, False),
    "ig realisation": LatentMap(lambda **search: LIGConfig(form="pixels", steps=IG_STEPS, **search), True),
}


def source_for(workspace: Workspace, opened: OpenEngine) -> Source:
    """The run's own medXGAN generator, else the newest one that was trained with its classifier."""
    names = opened.classifier.class_names
    if len(names) != 2:
        return Source(
            None,
            missing=f"A medXGAN generator tells a positive class from a negative one; this classifier has {len(names)} "
            "classes. Grad-CAM and Integrated gradients need no generator.",
        )
    with workspace.session() as session:
        own = session.scalar(
            sa.select(Model).join(Run, Run.generator_id == Model.id).where(Run.id == opened.run_id, Model.kind == KIND)
        )
        trained = sa.select(Model).where(Model.kind == KIND, Model.classifier_id == opened.classifier_id)
        found = own or session.scalars(trained.order_by(Model.id.desc())).first()
        classifier = session.get(Model, opened.classifier_id)
    if found is None:
        return Source(
            None,
            missing=f"No medXGAN generator was trained with {classifier.name if classifier else 'this classifier'}: "
            f"train one on the Runs page (“{title_of(f'{TRAIN}{KIND}')}”), then this map is computed here.",
        )
    return Source(found.id, found.name, search=_search_of(opened))


def _search_of(opened: OpenEngine) -> Search:
    """That of the run, so that what it found for an image is found again."""
    config = getattr(opened.engine, "config", None)
    if isinstance(config, MedXGANConfig):
        steps = config.steps
    elif isinstance(config, LatentConfig):
        steps = config.search
    else:
        return ()
    return (("search", steps), ("patience", config.patience), ("restarts", config.restarts), ("warm", config.warm))


def latent_map(
    workspace: Workspace, classifier_id: int, source: Source, target: int, image_id: int, key: str
) -> Tensor:
    """(1, 1, *size) float32: one of LATENT_MAPS for a stored image, at the classifier's size.

    The latents are searched once a process for an image (`cfcore.engines.medxgan.latents`).

    Raises:
        NothingToExplore: the image is gone or waits for a person's look.
        TypeError: the classifier passes no gradients.
        ValueError: there is no generator, or it does not fit the classifier; the message says what to do.
    """
    from cfcore.classifiers.base import resize
    from services.models import load_classifier, load_generator

    if source.generator is None:
        raise ValueError(source.missing)
    classifier, generator = load_classifier(workspace, classifier_id), load_generator(workspace, source.generator)
    config = LATENT_MAPS[key].method(**dict(source.search))
    engine = _engine_of(config)(classifier, config, generator)
    small = resize(source_of(workspace, image_id)[0], engine.size)
    return engine.attribution(engine.encode(small, target), small, target)


def _engine_of(config: LatentConfig) -> type[Ablation]:
    from cfcore.engines.ablation import Difference, LatentIntegratedGradients

    return LatentIntegratedGradients if isinstance(config, LIGConfig) else Difference
