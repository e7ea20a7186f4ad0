"""A run of kind "explain": rank directions on some images, explain others, store every counterfactual."""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import torch

from cfcore.classifiers.base import Classifier
from cfcore.engines.base import Engine, Explanation, NamedDirection
from cfcore.engines.measure import suggest_degree
from cfcore.engines.registry import engine_class
from cfcore.images.encode import encode_png
from cfcore.rendering import keeps_source
from db.models import Counterfactual, Direction, Image, Model, Run
from services.explain_settings import ExplainSettings
from services.ground_truth import truths_of
from services.images import batches_of, crop_back, from_unit, read_pixels, small_tensor
from services.runs import engine_folder, versions
from services.selection import choose_images, shuffled_patients
from services.worker import lease
from services.worker.least import least_degrees
from services.worker.progress import RunProgress
from services.worker.shares import flip_shares
from services.workspace import Workspace

CHUNK = 8
MOST_TRAINING = 512


@dataclass
class Job:
    """What all phases of one run share."""

    workspace: Workspace
    run: Run
    settings: ExplainSettings
    classifier: Classifier
    generator: torch.nn.Module | None
    progress: RunProgress

    @property
    def target(self) -> int:
        return self.classifier.class_index(self.settings.target)


def explain_run(workspace: Workspace, run: Run, progress: RunProgress) -> None:
    """Choose images, fit the engine, explain in chunks. What is stored already is not done again, so a run that was
    cut off goes on at the next chunk and ends with each image once.

    Raises:
        ValueError: the settings do not fit the classifier or the data; the message says what to change.
    """
    from services.models import load_classifier, load_generator

    settings = ExplainSettings.of(run.settings)
    assert run.classifier_id is not None
    classifier = load_classifier(workspace, run.classifier_id)
    generator = None if run.generator_id is None else load_generator(workspace, run.generator_id)
    job = Job(workspace, run, settings, classifier, generator, progress)
    chosen, fit_images = _chosen(job)
    engine, search_seconds = _fitted(job, fit_images)
    ranked = {entry.name for entry in engine.directions()}
    names = _store_directions(job, engine)
    searched = functools.cache(lambda: small_tensor(workspace, fit_images, classifier.size))
    _explain_all(job, engine, chosen, names, searched)
    if joint := sorted(names.keys() - ranked):
        _keep_joint(job, engine, joint, searched)
    _finish(job, len(chosen), len(fit_images), search_seconds)


def _chosen(job: Job) -> tuple[list[Image], list[Image]]:
    """The images to explain and those to rank directions on: as stored by an earlier attempt, else by rule and seed."""
    run = job.run
    if "images" in run.inputs:
        return _images(job.workspace, run.inputs["images"]), _images(job.workspace, run.inputs["fit_images"])
    assert run.dataset_id is not None and run.classifier_id is not None
    rule, fit_rule, names = job.settings.images, job.settings.fit, job.classifier.class_names
    is_asked = rule.case != "all"
    truths = truths_of(job.workspace, run.classifier_id, names, run.dataset_id) if is_asked else None
    chosen = choose_images(
        job.workspace, run.dataset_id, job.classifier, rule, job.target, job.progress.part(0.0, 0.1), truths
    )
    if fit_rule == replace(rule, n=fit_rule.n) and fit_rule.n <= rule.n:
        fit_images = chosen[: fit_rule.n]
    else:
        tell = job.progress.part(0.1, 0.15)
        fit_images = choose_images(job.workspace, run.dataset_id, job.classifier, fit_rule, job.target, tell)
    with job.workspace.session() as session:
        lease.hold(session, job.progress.holder)
        row = session.get_one(Run, run.id)
        weights = {
            kind: session.get_one(Model, model_id).sha256
            for kind, model_id in (("classifier", run.classifier_id), ("generator", run.generator_id))
            if model_id is not None
        }
        row.inputs = {
            "images": {str(image.id): image.sha256 for image in chosen},
            "fit_images": {str(image.id): image.sha256 for image in fit_images},
            **weights,
        }
        row.versions = versions()
    return chosen, fit_images


def _images(workspace: Workspace, hashes: dict[str, str]) -> list[Image]:
    ids = [int(key) for key in hashes]
    with workspace.session() as session:
        rows = {row.id: row for row in session.scalars(sa.select(Image).where(Image.id.in_(ids)))}
    gone = [i for i in ids if i not in rows or rows[i].sha256 != hashes[str(i)]]
    if gone:
        raise ValueError(
            f"{len(gone)} of the images of this run were removed or replaced since it began (first: image {gone[0]}); "
            "start a new run"
        )
    return [rows[i] for i in ids]


def _fitted(job: Job, images: list[Image]) -> tuple[Engine, float]:
    """The engine, fitted now or read back, and the seconds that the search took."""
    kind = engine_class(job.settings.engine)
    folder = engine_folder(job.workspace, job.run.id)
    seconds = job.run.result.get("search_seconds")
    if seconds is not None and folder.is_dir():
        return kind.load(folder, job.classifier, generator=job.generator), float(seconds)
    small = small_tensor(job.workspace, images, job.classifier.size)
    # Beside the engine's own folder: Explore takes that one's presence for a fitted engine.
    scratch = folder.with_name(folder.name + ".search")
    started = time.perf_counter()
    engine = kind.fit_in(
        scratch,
        job.classifier,
        small,
        job.target,
        job.settings.config_of(kind),
        job.progress.part(0.15, 0.5),
        generator=job.generator,
        training=lambda: _training_images(job),
    )
    search_seconds = max(time.perf_counter() - started, engine.search_seconds)
    tell, rendering = job.progress.part(0.5, 0.55), job.settings.rendering
    degree = suggest_degree(engine, small, job.target, rendering=rendering, progress=tell)
    if degree is not None:
        engine.default_degree = degree
    _save_engine(engine, folder)
    _merge_result(job, {"search_seconds": search_seconds, "suggested_degree": degree})
    shutil.rmtree(scratch, ignore_errors=True)
    return engine, search_seconds


def _training_images(job: Job) -> torch.Tensor:
    """At most MOST_TRAINING images of every class from the first split that has any, training before the others; the
    same ones at every attempt."""
    assert job.run.dataset_id is not None
    for split in ("train", "val", "test"):
        rows = shuffled_patients(job.workspace, job.run.dataset_id, split, seed=0)[:MOST_TRAINING]
        if rows:
            return small_tensor(job.workspace, rows, job.classifier.size)
    raise ValueError("the data set has no images that may be shown: approve them, or choose another data set")


def _save_engine(engine: Engine, folder: Path) -> None:
    aside = folder.with_name(folder.name + ".part")
    for old in (aside, folder):
        shutil.rmtree(old, ignore_errors=True)
    aside.mkdir(parents=True)
    engine.save(aside)
    aside.rename(folder)


def _store_directions(job: Job, engine: Engine) -> dict[str, int]:
    """Direction rows of the run, written once; their ids by name."""
    with job.workspace.session() as session:
        lease.hold(session, job.progress.holder)
        stored = session.scalars(sa.select(Direction).where(Direction.run_id == job.run.id)).all()
        if not stored:
            stored = [_row(job, found, rank) for rank, found in enumerate(engine.directions(), start=1)]
            session.add_all(stored)
            session.flush()
        return {row.name: row.id for row in stored}


def _store_direction(job: Job, found: NamedDirection) -> int:
    """One more direction behind those stored; its id."""
    with job.workspace.session() as session:
        lease.hold(session, job.progress.holder)
        last = session.scalar(sa.select(sa.func.max(Direction.rank)).where(Direction.run_id == job.run.id)) or 0
        row = _row(job, found, last + 1)
        session.add(row)
        session.flush()
        return row.id


def _row(job: Job, found: NamedDirection, rank: int) -> Direction:
    return Direction(
        run_id=job.run.id,
        rank=rank,
        name=found.name,
        index=found.index,
        sign=found.sign,
        mean_change=found.mean_change,
        explained=found.explained,
        kept=found.kept,
    )


def _keep_joint(job: Job, engine: Engine, names: list[str], fit_images: Callable[[], torch.Tensor]) -> None:
    """Store the engine again with the directions that joined it while images were explained, by any attempt."""
    for name in names:
        engine.joined(name, fit_images(), job.target)
    _save_engine(engine, engine_folder(job.workspace, job.run.id))


def _explain_all(
    job: Job, engine: Engine, images: list[Image], names: dict[str, int], fit_images: Callable[[], torch.Tensor]
) -> None:
    """Explain chunk by chunk; `fit_images`: those of the search, on which a direction that was put together for an
    image is measured."""
    with job.workspace.session() as session:
        done = set(session.scalars(sa.select(Counterfactual.image_id).where(Counterfactual.run_id == job.run.id)))
    todo = [image for image in images if image.id not in done]
    progress = job.progress.part(0.55, 1.0)
    finished = len(images) - len(todo)
    for group, tensor in batches_of(job.workspace, todo, CHUNK):
        progress(finished / len(images), f"explaining image {finished + 1} of {len(images)}")
        explanation = engine.explain(tensor, job.target, rendering=job.settings.rendering)
        for name in filter(None, explanation.direction):
            if name not in names and (joint := engine.joined(name, fit_images(), job.target)) is not None:
                names[name] = _store_direction(job, joint)
        least = least_degrees(engine, tensor, job.target, explanation, job.settings.rendering)
        _store_chunk(job, group, explanation, least, names)
        finished += len(group)


def _store_chunk(
    job: Job,
    images: list[Image],
    explanation: Explanation,
    least: list[float | None],
    names: dict[str, int],
) -> None:
    """Files first, then the rows of the whole chunk in one transaction of the lease's holder: a kill in between
    leaves at worst a file that nobody names."""
    rows = []
    for i, image in enumerate(images):
        direction = explanation.direction[i]
        rows.append(
            Counterfactual(
                run_id=job.run.id,
                image_id=image.id,
                direction_id=None if direction is None else names.get(direction),
                degree=_number(explanation.strength[i]),
                least_degree=least[i],
                tried=int(explanation.tried[i]),
                rendering=job.settings.rendering,
                p_source=float(explanation.p_source[i]),
                p_reconstruction=float(explanation.p_reconstruction[i]),
                p_counterfactual=float(explanation.p_counterfactual[i]),
                flipped=bool(explanation.flipped[i]),
                flipped_plain=bool(explanation.flipped_plain[i]),
                file_key=job.workspace.put(_png(job.workspace, image, explanation, i, job.settings.rendering), ".png"),
            )
        )
    with job.workspace.session() as session:
        lease.hold(session, job.progress.holder)
        session.add_all(rows)


def _png(workspace: Workspace, image: Image, explanation: Explanation, i: int, rendering: str) -> bytes:
    unit = explanation.counterfactual[i, 0].numpy()
    if keeps_source(rendering):
        shape = (image.height, image.width)
        return encode_png(from_unit(crop_back(unit, shape), image, read_pixels(workspace, image)))
    return encode_png(from_unit(unit, image))


def _number(value: torch.Tensor) -> float | None:
    number = float(value)
    return None if number != number else number


def _finish(job: Job, n: int, fit_n: int, search_seconds: float) -> None:
    with job.workspace.session() as session:
        rows = session.scalars(sa.select(Counterfactual).where(Counterfactual.run_id == job.run.id)).all()
    _merge_result(job, {"n": n, "fit_n": fit_n, "search_seconds": search_seconds} | flip_shares(rows))


def _merge_result(job: Job, values: dict[str, Any]) -> None:
    with job.workspace.session() as session:
        lease.hold(session, job.progress.holder)
        row = session.get_one(Run, job.run.id)
        row.result = {**row.result, **values}
