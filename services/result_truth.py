"""The truth about the directions of a study or a run, where its images are phantoms: asked for, followed, exported.

The measuring itself is a run of kind "measure" (`services.worker.measure`): it takes a while, and pages never wait.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd
import sqlalchemy as sa

from cfcore.metrics.factor_effects import EffectOf, from_stored
from cfcore.rendering import DEFAULT_RENDERING, RENDERINGS, Rendering
from cfcore.reports.codebook import tidy_csv
from cfcore.reports.factors import rows
from cfcore.study.intervals import wilson
from db.models import Counterfactual, Dataset, Direction, Run
from services.permissions import require, require_researcher
from services.results import StudyResults
from services.runs import RunRefused, RunView, engine_folder, list_runs, run_view, start_run
from services.study_views import StudyView, study_view
from services.workspace import Workspace

KIND = "measure"
MOST = 24
UNDER_WAY, ENDED_EARLY = ("queued", "running"), ("failed", "cancelled")
# The kind of a pair that is no control.
COUNTED = "counterfactual"


@dataclass(frozen=True)
class Move:
    """What is measured: images moved along `direction` of run `run` up to `degree`. `name`: what people call it.
    `target`: the class to move to, None for the run's own."""

    name: str
    run: int
    direction: str | None
    degree: float
    rendering: Rendering
    target: str | None = None


@dataclass(frozen=True)
class MeasureSettings:
    """`moves`, in order, each of `images` (ids); `study`: whose arms they are, None for a run's kept directions."""

    moves: tuple[Move, ...]
    images: tuple[int, ...]
    study: int | None = None

    @classmethod
    def of(cls, settings: dict[str, Any]) -> MeasureSettings:
        """Read a run's settings. Raises RunRefused that names what is missing or impossible."""
        for key in ("moves", "images"):
            if not settings.get(key):
                raise RunRefused(f"measuring true factors needs {key}: start it from the study or run that it is about")
        try:
            moves = tuple(Move(**move) for move in settings["moves"])
        except TypeError as error:
            raise RunRefused(f"measuring true factors: {error}") from error
        for move in moves:
            if move.rendering not in RENDERINGS:
                raise RunRefused(f"no rendering {move.rendering!r}; choose one of: {', '.join(RENDERINGS)}")
        return cls(moves, tuple(int(i) for i in settings["images"]), settings.get("study"))


@dataclass(frozen=True)
class Truth:
    """How far the measuring is, and what it found.

    Attributes:
        run: the run of kind "measure", None before anybody asked for it.
        effects: one a direction, in the order asked for; those measured so far while the run works.
        findings: (finding key, arm key) -> "share" of the pairs in which the finding truly appears, with Wilson's
            interval as "share_low" and "share_high", "majority" (more than half), "n"; empty for a run's truth.
    """

    run: RunView | None
    effects: tuple[EffectOf, ...] = ()
    findings: dict[tuple[str, str], dict[str, Any]] | None = None

    @property
    def state(self) -> str:
        """ "none", "under way", "ended early" or "done"."""
        if self.run is None:
            return "none"
        if self.run.state in UNDER_WAY:
            return "under way"
        return "ended early" if self.run.state in ENDED_EARLY else "done"


def truth_of_study(workspace: Workspace, study: StudyView) -> Truth | None:
    """What is known of a study's arms on its own pairs; None where nobody can know it: no phantoms, no pairs, or no
    engine to move with."""
    settings = _settings_of_study(workspace, study)
    return None if settings is None else _found(workspace, settings)


def truth_of_run(workspace: Workspace, view: RunView) -> Truth | None:
    """The same for the kept directions of a finished run, on images that C does not call the target."""
    settings = _settings_of_run(workspace, view)
    return None if settings is None else _found(workspace, settings)


def measure_study(workspace: Workspace, study_id: int, *, actor: str) -> int:
    """Queue the measuring of a closed study's arms, or find the run that does it; the run's id.

    Raises:
        RunRefused: the study is not closed, or there is no truth to measure. NotAllowed: the actor has no part in it.
    """
    with workspace.session() as session:
        require(session, actor, study_id, "results")
    study = study_view(workspace, study_id)
    if study.state != "closed":
        raise RunRefused("What the arms of a study move is measured after its closing, when no reader can be biased.")
    return _measure(workspace, _settings_of_study(workspace, study), study.title, actor)


def measure_closed(workspace: Workspace, study_id: int, *, actor: str) -> int | None:
    """`measure_study` for a study that was closed just now; None where there is no truth to measure."""
    settings = _settings_of_study(workspace, study := study_view(workspace, study_id))
    return None if settings is None else _measure(workspace, settings, study.title, actor)


def measure_run_directions(workspace: Workspace, run_id: int, *, actor: str) -> int:
    """Queue the measuring of a run's kept directions, or find the run that does it; the run's id.

    Raises:
        RunRefused: the run has not ended, or there is no truth to measure. NotAllowed: the actor is no researcher.
    """
    with workspace.session() as session:
        require_researcher(session, actor)
    view = run_view(workspace, run_id)
    return _measure(workspace, _settings_of_run(workspace, view), view.name, actor)


def truth_for_report(workspace: Workspace, found: StudyResults) -> Truth | None:
    """The truth as far as it may stand in a report: measured to the end, and the study closed."""
    truth = None if found.interim else truth_of_study(workspace, found.study)
    return truth if truth is not None and truth.state == "done" else None


def truth_csv(workspace: Workspace, found: StudyResults) -> str:
    """The true factors of a closed phantom study as tidy CSV: one row per arm and factor; "" where there are none."""
    truth = truth_for_report(workspace, found)
    return tidy_csv(pd.DataFrame(rows(truth.effects))) if truth else ""


def _measure(workspace: Workspace, settings: MeasureSettings | None, title: str, actor: str) -> int:
    if settings is None:
        raise RunRefused(
            "There is no truth to measure: it is known of phantoms only, and a finished run with its engine is needed."
        )
    known = _newest(workspace, settings)
    if known is not None and known.state not in ENDED_EARLY:
        return known.id
    source = run_view(workspace, settings.moves[0].run)
    stored = asdict(settings)
    return start_run(
        workspace,
        KIND,
        f"True factors: {title}",
        stored | {"moves": list(stored["moves"]), "images": list(settings.images)},
        source.seed,
        source.dataset_id,
        source.classifier_id,
        source.generator_id,
        actor=actor,
    )


def _found(workspace: Workspace, settings: MeasureSettings) -> Truth:
    run = _newest(workspace, settings)
    return Truth(None) if run is None else measured_truth(run)


def measured_truth(run: RunView) -> Truth:
    """What a run of kind "measure" has found so far."""
    effects = tuple(from_stored(one) for one in run.result.get("effects", []))
    findings = {(row["finding"], row["arm"]): _share(row) for row in run.result.get("findings", [])}
    return Truth(run, effects, findings)


def _share(row: dict[str, Any]) -> dict[str, Any]:
    share = wilson(row["appears"], row["n"])
    return {
        "share": share.value,
        "share_low": share.low,
        "share_high": share.high,
        "majority": share.value is not None and share.value > 0.5,
        "n": row["n"],
        "share_note": share.note or ("" if share.value is not None else "no pair could be measured"),
    }


def _newest(workspace: Workspace, settings: MeasureSettings) -> RunView | None:
    """The newest run that measures just this, one that has not ended early before others."""
    same = [run for run in list_runs(workspace, KIND) if MeasureSettings.of(run.settings) == settings]
    return next((run for run in same if run.state not in ENDED_EARLY), same[0] if same else None)


def _settings_of_study(workspace: Workspace, study: StudyView) -> MeasureSettings | None:
    protocol = study.protocol
    moves = [
        Move(arm.name, run, arm.direction or arm.name, protocol.degree_of(arm), protocol.rendering_of(arm), arm.target)
        for arm in protocol.arms
        if (run := arm.run or study.run_id) is not None
    ]
    arms = {arm.key for arm in protocol.arms}
    images = {p.image_id for p in study.pairs if p.arm in arms and getattr(p, "kind", COUNTED) == COUNTED}
    if not moves or not images or not all(_measurable(workspace, run) for run in {move.run for move in moves}):
        return None
    known = _direction_names(workspace, {move.run for move in moves})
    # An arm may be a method as a whole: then its run has no direction of that name.
    named = tuple(m if (m.run, m.direction) in known else replace(m, direction=None) for m in moves)
    return MeasureSettings(named, tuple(sorted(images)), study.id)


def _direction_names(workspace: Workspace, runs: set[int]) -> set[tuple[int, str | None]]:
    query = sa.select(Direction.run_id, Direction.name).where(Direction.run_id.in_(runs))
    with workspace.session() as session:
        return {(run_id, name) for run_id, name in session.execute(query)}


def _settings_of_run(workspace: Workspace, view: RunView) -> MeasureSettings | None:
    kept = tuple(direction.name for direction in view.directions if direction.kept)
    if view.kind != "explain" or view.state != "done" or not kept or not _measurable(workspace, view.id):
        return None
    query = (
        sa.select(Counterfactual.image_id, Counterfactual.degree)
        .where(Counterfactual.run_id == view.id, Counterfactual.p_source < 0.5)
        .order_by(Counterfactual.id)
        .limit(MOST)
    )
    with workspace.session() as session:
        rows = session.execute(query).all()
    if not rows:
        return None
    degree = max((row.degree or 0.0 for row in rows), default=0.0) or _default_degree(view.engine)
    rendering = view.settings.get("rendering", DEFAULT_RENDERING)
    return MeasureSettings(
        tuple(Move(name, view.id, name, degree, rendering) for name in kept), tuple(row.image_id for row in rows)
    )


def _default_degree(engine: str | None) -> float:
    from cfcore.engines.registry import engine_class

    return float(engine_class(engine or "").default_degree)


def _measurable(workspace: Workspace, run_id: int) -> bool:
    """Whether a run's images are phantoms and its engine is there to move them."""
    query = sa.select(Dataset.kind).join(Run, Run.dataset_id == Dataset.id).where(Run.id == run_id)
    with workspace.session() as session:
        kind = session.scalar(query)
    return kind == "phantom" and engine_folder(workspace, run_id).is_dir()
