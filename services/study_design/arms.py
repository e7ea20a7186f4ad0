"""The engine behind every arm, ready to move images: its own run, target, direction, degree and rendering."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from cfcore.images.image import Pixels
from cfcore.rendering import Rendering, keeps_source
from cfcore.study.protocol import Arm, Protocol, Reference
from db.models import Direction, Image, Run
from services.explore import NothingToExplore, OpenEngine
from services.images import crop_back, from_unit
from services.study_views import StudyRefused
from services.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from cfcore.engines.base import Engine, Explanation


@dataclass(frozen=True)
class ArmEngine:
    """An arm with everything it takes to draw its pictures. `direction`: its name in the run, None without one."""

    arm: Arm
    run: Run
    engine: Engine
    target: int
    direction: str | None
    degree: float
    rendering: Rendering
    reference: Reference

    def move(self, tensors: Tensor) -> Explanation:
        """(n, 1, s, s) images moved by the arm's fixed degree; `source` is what may stand on the original's side."""
        from cfcore.classifiers.base import resize

        moved = self.engine.move(
            tensors, self.target, direction=self.direction, degree=self.degree, rendering=self.rendering
        )
        if self.rendering == "plain" and self.reference == "original":
            moved = replace(moved, source=resize(tensors, self.engine.size))
        return moved


def arm_engines(
    workspace: Workspace, protocol: Protocol, run_id: int | None, opened: Callable[[Workspace, int], OpenEngine]
) -> dict[str, ArmEngine]:
    """Arm key -> its engine. run_id: the run of arms that name none.

    Raises StudyRefused naming the arm whose run is gone, is not finished, explains another data set, or has no such
    direction or target class.
    """
    with workspace.session() as session:
        ids = {arm.run or run_id or 0 for arm in protocol.arms}
        runs = {run.id: run for run in session.scalars(sa.select(Run).where(Run.id.in_(ids)))}
        rows = session.execute(sa.select(Direction.run_id, Direction.name).where(Direction.run_id.in_(ids)))
        names: dict[int, set[str]] = {}
        for run, name in rows:
            names.setdefault(run, set()).add(name)
    main = runs.get(run_id or 0)
    found = {}
    for arm in protocol.arms:
        own = runs.get(arm.run or run_id or 0)
        if own is None:
            raise StudyRefused(
                "This study has no run behind it: create it from a finished run."
                if arm.run is None
                else f"Run {arm.run} of arm “{arm.name}” is gone: choose the arms again."
            )
        if own.kind != "explain" or own.state != "done":
            raise StudyRefused(f"Run {own.id} of arm “{arm.name}” is {own.state}: wait for it, or choose another.")
        if main is not None and own.dataset_id != main.dataset_id:
            raise StudyRefused(
                f"Run {own.id} of arm “{arm.name}” explains another data set than run {main.id}: all arms of a study "
                "show images of one data set."
            )
        found[arm.key] = _engine_of(workspace, protocol, arm, own, names.get(own.id, set()), opened)
    return found


def _engine_of(
    workspace: Workspace,
    protocol: Protocol,
    arm: Arm,
    run: Run,
    directions: set[str],
    opened: Callable[[Workspace, int], OpenEngine],
) -> ArmEngine:
    wanted = arm.direction or arm.name
    direction = wanted if wanted in directions else None
    if directions and direction is None:
        raise StudyRefused(f"The run has no direction “{wanted}”: choose the arms again.")
    try:
        engine = opened(workspace, run.id)
    except NothingToExplore as error:
        raise StudyRefused(str(error)) from error
    target = engine.target
    if arm.target is not None:
        classes = engine.engine.classifier.class_names
        if arm.target not in classes:
            raise StudyRefused(
                f"The classifier of arm “{arm.name}” knows no class “{arm.target}”: choose one of {', '.join(classes)}."
            )
        target = classes.index(arm.target)
    return ArmEngine(
        arm=arm,
        run=run,
        engine=engine.engine,
        target=target,
        direction=direction,
        degree=protocol.degree_of(arm),
        rendering=protocol.rendering_of(arm),
        reference=protocol.reference_of(arm),
    )


def pair_pixels(
    explanation: Explanation, row: int, image: Image, pixels: Pixels, reference: str, rendering: str
) -> tuple[Pixels, Pixels]:
    """Both sides (original or reconstruction, counterfactual) in the source's own depth, by one and the same step.

    With both transfers the sides are the source's pixels plus a change (none on the original's side), at its own
    size; with plain rendering both are the network's pictures, quantised alike. `pixels` is the stored source.
    """
    if keeps_source(rendering):
        sides = (explanation.source, explanation.counterfactual)
        shape = (image.height, image.width)
        original, moved = (from_unit(crop_back(side[row, 0].numpy(), shape), image, source=pixels) for side in sides)
        return original, moved
    first = explanation.source if reference == "original" else explanation.reconstruction
    original, moved = (quantised(side[row, 0].numpy(), image) for side in (first, explanation.counterfactual))
    return original, moved


def quantised(unit: np.ndarray, image: Image) -> Pixels:
    """(h, w) in [0, 1] as whole pixel values in the image's own depth."""
    whole = np.clip(np.rint(unit.astype(np.float64) * image.max_value), 0, image.max_value)
    return whole.astype(np.uint8) if image.max_value <= 255 else whole.astype(np.uint16)
