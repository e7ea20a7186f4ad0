"""Which true factor each direction moves, on phantoms: the table that stands beside the readers' one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cfcore.metrics.factor_effects import DirectionEffect, Revealed
from services.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from cfcore.engines.base import Engine
    from cfcore.rendering import Rendering

STEPS = 5
CHUNK = 16
KEPT = 16


@dataclass(frozen=True)
class EffectOf:
    """What one direction does to the phantom's factors.

    Attributes:
        direction: its name. rank: from 1, in the order given. effect: by factor (`cfcore.metrics.phantom_factors`).
        pacemaker: whether it makes one appear.
    """

    direction: str
    rank: int
    effect: DirectionEffect
    pacemaker: Revealed


def effects_of(
    engine: Engine,
    images: Sequence[Tensor],
    target: int,
    directions: Sequence[str],
    degree: float,
    rendering: Rendering = "detail transfer",
    steps: int = STEPS,
) -> list[EffectOf]:
    """Move every image along each direction in `steps` equal degrees from 0 to `degree` and measure what is shown.

    `images`: batches of (n, 1, s, s) in [0, 1], each of one size of 64 px or more.
    """
    import numpy as np
    import torch

    from cfcore.metrics.factor_effects import direction_effect, reveals
    from cfcore.metrics.phantom_factors import FACTORS, SPREAD, measured_factors

    degrees = torch.linspace(0, degree, steps)
    found = []
    for rank, name in enumerate(directions, start=1):
        rows: list[list[dict[str, np.ndarray]]] = [[] for _ in range(steps)]
        for batch in images:
            for chunk in batch.split(CHUNK):
                frames = engine.path(chunk, target, degrees, direction=name, rendering=rendering)
                for step, (_, shown, _) in enumerate(frames):
                    rows[step].append(measured_factors(shown[:, 0].cpu().numpy()))
        values = {f: np.stack([np.concatenate([part[f] for part in row]) for row in rows]) for f in FACTORS}
        effect = direction_effect(degrees.tolist(), values, SPREAD)
        found.append(EffectOf(name, rank, effect, reveals(degrees.tolist(), values["device"])))
    return found


_cache: OrderedDict[tuple[object, ...], list[EffectOf]] = OrderedDict()
_lock = threading.Lock()


def study_effects(workspace: Workspace, study_id: int) -> list[EffectOf] | None:
    """The effects of a study's arms on its own originals, at its own degree and rendering; None where its images are
    no phantoms (then nobody knows the truth), where it has no pairs yet, or where its run has no engine to move with.

    Takes seconds (5 degrees of every pair); kept in memory until the pairs change. Raises StudyRefused where there is
    no such study.
    """
    from db.models import Dataset
    from services.explore import NothingToExplore, open_engine
    from services.study_views import study_view

    study = study_view(workspace, study_id)
    if study.run_id is None or study.dataset_id is None or not study.pairs:
        return None
    with workspace.session() as session:
        dataset = session.get(Dataset, study.dataset_id)
    if dataset is None or dataset.kind != "phantom":
        return None
    try:
        opened = open_engine(workspace, study.run_id)
    except NothingToExplore:
        return None
    arms = [arm.name for arm in study.protocol.arms]
    images = tuple(sorted({pair.image_id for pair in study.pairs}))
    key = (str(workspace.folder), workspace.database_url, study_id, images, tuple(arms), study.protocol.degree)
    with _lock:
        if key not in _cache:
            _cache[key] = effects_of(
                opened.engine,
                _tensors(workspace, images),
                opened.target,
                arms,
                study.protocol.degree,
                study.protocol.rendering,
            )
            while len(_cache) > KEPT:
                _cache.popitem(last=False)
        _cache.move_to_end(key)
        return _cache[key]


def _tensors(workspace: Workspace, ids: Sequence[int]) -> list[Tensor]:
    import sqlalchemy as sa

    from db.models import Image
    from services.images import batches_of

    with workspace.session() as session:
        images = list(session.scalars(sa.select(Image).where(Image.id.in_(ids)).order_by(Image.id)))
    return [tensor for _, tensor in batches_of(workspace, images, CHUNK)]
