"""Runs: start, cancel, resume, list, look at. The work itself happens in the worker process."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.engines import catalogue
from cfcore.generators import registry as generators
from db.events import record
from db.models import Dataset, Direction, Image, Model, Run, now
from services.explain_settings import ExplainSettings, RunRefused
from services.ground_truth import GroundTruth, labels_of
from services.run_kinds import RUN_KINDS, generator_trained
from services.selection import SHOWN
from services.workspace import Workspace

UNDER_WAY = ("queued", "running")
PACKAGES = ("cfreader", "torch", "monai", "numpy", "scipy", "safetensors", "pillow", "pydicom")


@dataclass(frozen=True)
class DirectionView:
    """A ranked direction of a run; see db.models.Direction."""

    id: int
    rank: int
    name: str
    mean_change: float
    explained: float
    kept: bool


@dataclass(frozen=True)
class RunView:
    """A run as pages show it. `seconds`: from start to end, or to now while it runs; None before it starts.
    `dataset`, `classifier`, `generator`: their names."""

    id: int
    name: str
    kind: str
    engine: str | None
    state: str
    progress: float
    message: str
    settings: dict[str, Any]
    seed: int
    dataset_id: int | None
    dataset: str | None
    classifier_id: int | None
    classifier: str | None
    generator_id: int | None
    generator: str | None
    attempts: int
    versions: dict[str, Any]
    inputs: dict[str, Any]
    result: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    directions: tuple[DirectionView, ...]


def engine_folder(workspace: Workspace, run_id: int) -> Path:
    """Where the fitted engine of a run lies."""
    return workspace.folder / "engines" / str(run_id)


def training_folder(workspace: Workspace, run_id: int) -> Path:
    """Where checkpoint, losses and grids of a training run lie."""
    return workspace.folder / "training" / str(run_id)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a figure depends on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def start_run(
    workspace: Workspace,
    kind: str,
    name: str,
    settings: dict[str, Any],
    seed: int,
    dataset_id: int | None,
    classifier_id: int | None = None,
    generator_id: int | None = None,
    actor: str = "command line",
) -> int:
    """Queue a run; the worker takes it as soon as it is free. Returns its id.

    Raises:
        RunRefused: something is missing or does not fit; nothing is stored.
    """
    known = [name for name, entry in RUN_KINDS.items() if entry.start != "own"]
    if kind not in known:
        raise RunRefused(f"no run of kind {kind!r}; choose one of: {', '.join(known)}")
    if not name.strip():
        raise RunRefused("the run needs a name")
    with workspace.session() as session:
        dataset = session.get(Dataset, dataset_id) if dataset_id is not None else None
        if dataset is None:
            raise RunRefused("the run needs a data set: choose one, or import one first")
        classifier = _model(session, classifier_id, "classifier")
        generator = _model(session, generator_id, None)
        if kind == "explain":
            _check_explain(session, ExplainSettings.of(settings), dataset, classifier, generator)
        elif kind == "measure":
            _check_measure(settings)
        elif (trained := generator_trained(kind)) and classifier is None:
            raise RunRefused(f"{generators.title_of(trained)} is trained against a classifier: choose one")
        return queue_run(
            session,
            kind,
            name.strip(),
            settings,
            seed=seed,
            dataset_id=dataset_id,
            classifier_id=classifier_id,
            generator_id=generator_id,
            actor=actor,
        )


def queue_run(
    session: Session,
    kind: str,
    name: str,
    settings: dict[str, Any],
    *,
    seed: int = 0,
    dataset_id: int | None = None,
    classifier_id: int | None = None,
    generator_id: int | None = None,
    actor: str,
) -> int:
    """Write the row that waits for the worker, with its event, in the caller's transaction; the run's id. That the
    settings fit the kind is the caller's to check."""
    run = Run(
        name=name,
        kind=kind,
        engine=settings.get("engine"),
        settings=settings,
        seed=seed,
        dataset_id=dataset_id,
        classifier_id=classifier_id,
        generator_id=generator_id,
        versions=versions(),
        message="Waits for its turn.",
    )
    session.add(run)
    session.flush()
    record(session, actor, "run queued", f"run {run.id}", run_kind=kind)
    return run.id


def _model(session: Session, model_id: int | None, kind: str | None) -> Model | None:
    if model_id is None:
        return None
    model = session.get(Model, model_id)
    if model is None:
        raise RunRefused(f"there is no model {model_id} any more: choose another")
    if kind is not None and model.kind != kind:
        raise RunRefused(f"the model {model.name} is a {model.kind}, not a {kind}: choose another")
    return model


def _check_measure(settings: dict[str, Any]) -> None:
    from services.result_truth import MeasureSettings

    MeasureSettings.of(settings)


def _check_explain(
    session: Session, settings: ExplainSettings, dataset: Dataset, classifier: Model | None, generator: Model | None
) -> None:
    from cfcore.engines.registry import engine_class

    kind = engine_class(settings.engine)
    settings.config_of(kind)
    if classifier is None:
        raise RunRefused("a counterfactual explains a classifier: choose one")
    names = classifier.card.get("class_names", [])
    for name in filter(None, (settings.target, settings.images.predicted)):
        if names and name not in names:
            raise RunRefused(f"{classifier.name} knows no class {name!r}; it knows {', '.join(names)}")
    if kind.generator_kind is not None:
        if generator is None or generator.kind != kind.generator_kind:
            needed = generators.title_of(kind.generator_kind)
            raise RunRefused(f"{kind.title} needs a trained {needed} generator: choose or train one")
        if generator.classifier_id not in (None, classifier.id):
            raise RunRefused(
                f"{generator.name} was trained against another classifier than {classifier.name}: choose a pair"
            )
    for split, what in ((settings.images.split, "to explain"), (settings.fit.split, "to rank directions on")):
        count = session.scalar(
            sa.select(sa.func.count())
            .select_from(Image)
            .where(Image.dataset_id == dataset.id, Image.split == split, Image.look.in_(SHOWN))
        )
        if not count:
            raise RunRefused(f"{dataset.name} has no images in the split {split!r} {what}: choose another split")
    if names and settings.images.case != "all":
        try:
            GroundTruth.of(names, classifier.card).check(dataset.name, labels_of(session, dataset.id))
        except ValueError as error:
            raise RunRefused(str(error)) from error


def moves_an_image(engine: str, config: dict[str, Any], generator_card: dict[str, Any]) -> int:
    """How many moved pictures the search of `engine` draws of every image; 0 where nobody can say before."""
    return catalogue.drawings_an_image(engine, config, generator_card)


def cancel_run(workspace: Workspace, run_id: int, actor: str) -> None:
    """Stop a run: one that waits at once, one that runs within about a second; one that has ended stays as it is."""
    with workspace.session() as session:
        waiting = session.execute(
            sa.update(Run)
            .where(Run.id == run_id, Run.state == "queued")
            .values(state="cancelled", finished_at=now(), message="Cancelled before it started.")
        )
        running = session.execute(
            sa.update(Run)
            .where(Run.id == run_id, Run.state == "running")
            .values(cancel_requested=True, message="Stopping.")
        )
        if waiting.rowcount or running.rowcount:  # type: ignore[attr-defined]
            record(session, actor, "run cancel asked", f"run {run_id}")


def resume_run(workspace: Workspace, run_id: int, actor: str) -> None:
    """Queue a failed or cancelled run again; it goes on from what it has stored.

    Raises RunRefused when the run is in another state.
    """
    with workspace.session() as session:
        changed = session.execute(
            sa.update(Run)
            .where(Run.id == run_id, Run.state.in_(("failed", "cancelled")))
            .values(state="queued", attempts=0, cancel_requested=False, finished_at=None, message="Waits for its turn.")
        )
        if not changed.rowcount:  # type: ignore[attr-defined]
            state = session.scalar(sa.select(Run.state).where(Run.id == run_id))
            raise RunRefused(f"run {run_id} is {state or 'gone'}: only a failed or cancelled run can be resumed")
        record(session, actor, "run resumed", f"run {run_id}")


def list_runs(workspace: Workspace, kind: str | None = None) -> list[RunView]:
    """All runs (of one kind), the newest first."""
    query = sa.select(Run).order_by(Run.id.desc())
    if kind is not None:
        query = query.where(Run.kind == kind)
    with workspace.session() as session:
        return _views(session, session.scalars(query).all())


def latest_of_study(workspace: Workspace, kind: str, study_id: int) -> RunView | None:
    """The newest run of a kind whose settings name a study, or None."""
    return next((run for run in list_runs(workspace, kind) if run.settings.get("study") == study_id), None)


def run_view(workspace: Workspace, run_id: int) -> RunView:
    """One run. Raises RunRefused when there is none."""
    with workspace.session() as session:
        run = session.get(Run, run_id)
        if run is None:
            raise RunRefused(f"there is no run {run_id}: choose one from the list")
        return _views(session, [run])[0]


def _views(session: Session, runs: Sequence[Run]) -> list[RunView]:
    datasets = dict(session.execute(sa.select(Dataset.id, Dataset.name)).tuples().all())
    models = dict(session.execute(sa.select(Model.id, Model.name)).tuples().all())
    found: dict[int, list[DirectionView]] = {}
    query = sa.select(Direction).where(Direction.run_id.in_([run.id for run in runs])).order_by(Direction.rank)
    for row in session.scalars(query):
        view = DirectionView(row.id, row.rank, row.name, row.mean_change, row.explained, row.kept)
        found.setdefault(row.run_id, []).append(view)
    return [_view(run, datasets, models, tuple(found.get(run.id, ()))) for run in runs]


def _view(run: Run, datasets: dict[int, str], models: dict[int, str], directions: tuple[DirectionView, ...]) -> RunView:
    end = run.finished_at or (now() if run.state == "running" else None)
    return RunView(
        id=run.id,
        name=run.name,
        kind=run.kind,
        engine=run.engine,
        state=run.state,
        progress=run.progress,
        message=run.message,
        settings=run.settings,
        seed=run.seed,
        dataset_id=run.dataset_id,
        dataset=datasets.get(run.dataset_id or 0),
        classifier_id=run.classifier_id,
        classifier=models.get(run.classifier_id or 0),
        generator_id=run.generator_id,
        generator=models.get(run.generator_id or 0),
        attempts=run.attempts,
        versions=run.versions,
        inputs=run.inputs,
        result=run.result,
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        seconds=(end - run.started_at).total_seconds() if run.started_at and end else None,
        directions=directions,
    )
