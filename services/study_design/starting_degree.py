"""The degree that the arms of a run start from, in the unit of the run's own method."""

from __future__ import annotations

import json

from db.models import Run
from services.runs import RunView, engine_folder
from services.workspace import Workspace

# Of runs that have no engine any more.
USUAL = 10.0


def starting_degree(workspace: Workspace, run: Run | RunView) -> float:
    """What most of the run's images need to flip, where it was measured; else the degree of its search, where it has
    one; else the degree at which its method starts, as it was stored with the engine.

    A degree means another thing for every method: per cent of the pixels for a heat map, the share of the way to the
    other realisation for medXGAN.
    """
    degree = run.result.get("suggested_degree") or run.settings.get("config", {}).get("degree")
    return float(degree or _stored(workspace, run.id) or USUAL)


def _stored(workspace: Workspace, run_id: int) -> float | None:
    from cfcore.engines.stored import FACTS

    try:
        found = json.loads((engine_folder(workspace, run_id) / FACTS).read_text()).get("default_degree")
    except FileNotFoundError:
        return None
    return None if found is None else float(found)
