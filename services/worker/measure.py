"""A run of kind "measure": which true factor each direction moves, on phantoms, and where findings truly appear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from torch import Tensor

from cfcore.metrics.factor_effects import as_stored
from db.models import Image, Model, Run
from services.explore import open_engine
from services.images import batches_of
from services.phantom_effects import CHUNK, effect_along
from services.result_truth import MeasureSettings
from services.runs import versions
from services.worker import lease
from services.worker.progress import RunProgress
from services.workspace import Workspace

# Twice what the measuring network reads: a finer source would cost time and change nothing.
SIDE = 128


def measure_run(workspace: Workspace, run: Run, progress: RunProgress) -> None:
    """Measure one direction after another; those that are stored already are not measured again.

    Raises:
        ValueError: an image of the run is gone.
        NothingToExplore (a ValueError): the run that found the directions has no engine any more.
    """
    settings = MeasureSettings.of(run.settings)
    progress(0.0, "reading images")
    images = _images(workspace, settings.images)
    tensors = [_small(tensor) for _, tensor in batches_of(workspace, images, CHUNK)]
    hashes = {"images": {str(image.id): image.sha256 for image in images}, **_weights(workspace, run)}
    _merge(workspace, run, progress, inputs=hashes)
    effects = list(run.result.get("effects", []))
    for i in range(len(effects), len(settings.moves)):
        move = settings.moves[i]
        opened = open_engine(workspace, move.run)
        target = opened.target if move.target is None else opened.classifier.class_index(move.target)
        part = progress.part(i / len(settings.moves), (i + 1) / len(settings.moves))
        found = effect_along(
            opened.engine, tensors, target, move.direction, i + 1, move.degree, move.rendering, progress=part
        )
        effects.append(as_stored(replace(found, direction=move.name)))
        _merge(workspace, run, progress, result={"effects": effects})
    if settings.study is not None:
        from services.finding_truth import finding_truth

        _merge(workspace, run, progress, result={"findings": finding_truth(workspace, settings.study)})


def _images(workspace: Workspace, ids: Sequence[int]) -> list[Image]:
    with workspace.session() as session:
        rows = {row.id: row for row in session.scalars(sa.select(Image).where(Image.id.in_(ids)))}
    if gone := [i for i in ids if i not in rows]:
        raise ValueError(f"{len(gone)} of the images were removed (first: image {gone[0]}): measure again")
    return [rows[i] for i in ids]


def _small(images: Tensor) -> Tensor:
    from cfcore.classifiers.base import resize

    return images if images.shape[-1] <= SIDE else resize(images, (SIDE, SIDE))


def _weights(workspace: Workspace, run: Run) -> dict[str, str]:
    with workspace.session() as session:
        named = (("classifier", run.classifier_id), ("generator", run.generator_id))
        return {kind: session.get_one(Model, model_id).sha256 for kind, model_id in named if model_id is not None}


def _merge(
    workspace: Workspace,
    run: Run,
    progress: RunProgress,
    *,
    result: dict[str, Any] | None = None,
    inputs: dict[str, Any] | None = None,
) -> None:
    with workspace.session() as session:
        lease.hold(session, progress.holder)
        row = session.get_one(Run, run.id)
        row.result = {**row.result, **(result or {})}
        row.inputs, row.versions = {**row.inputs, **(inputs or {})}, versions()
