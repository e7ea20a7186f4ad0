"""Methods that search in the pixels through the worker and on Explore: their one direction, and honest failures."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from db.models import Counterfactual
from services.explore import explore, open_engine
from services.explore_images import image_choices
from services.runs import run_view, start_run
from services.worker import lease, queue
from services.worker.loop import do
from services.workspace import Workspace
from tests.services import shift_engine

# A square of 16 x 12 px is padded with black, so its mean lies at about 0.18 and half takes a lot.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "PGD": ("pgd", {"budget": 0.9, "step": 0.03, "steps": 40}),
    "Wachter": ("wachter", {"steps": 40, "rounds": 10}),
    "CEM": ("cem", {"searches": 3, "steps": 40}),
}


def run_of(workspace: Workspace, ids: dict[str, int], engine: str, config: dict[str, Any]) -> int:
    settings = shift_engine.settings(3) | {"engine": engine, "config": config, "rendering": "plain"}
    run_id = start_run(workspace, "explain", engine, settings, 0, ids["dataset"], ids["classifier"], None, actor="me")
    assert lease.take(workspace, "w")
    run = queue.next_run(workspace, "w")
    assert run is not None
    do(workspace, run, "w", threading.Event())
    lease.release(workspace, "w")
    return run_id


@pytest.fixture
def ids(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    shift_engine.known(monkeypatch)
    return shift_engine.scene(workspace)


@pytest.mark.parametrize("label", CASES)
def test_a_run_finds_counterfactuals_that_explore_shows(workspace: Workspace, ids: dict[str, int], label: str) -> None:
    run_id = run_of(workspace, ids, *CASES[label])
    view = run_view(workspace, run_id)
    assert view.state == "done", view.message
    (only,) = view.directions
    assert only.name == label and only.explained == 1 and view.result["n"] == 3
    with workspace.session() as session:
        rows = session.scalars(sa.select(Counterfactual).where(Counterfactual.run_id == run_id)).all()
    assert all(row.flipped and row.degree == 1 and row.direction_id is not None for row in rows)
    assert all(row.least_degree is not None and 0 < row.least_degree <= 1 for row in rows)
    suggested = open_engine(workspace, run_id).engine.default_degree
    assert 0 < suggested <= 1 and view.result["suggested_degree"] == suggested
    image = image_choices(workspace, run_id).images[0].id
    assert image in {row.image_id for row in rows}
    moved, still = (explore(workspace, run_id, image, label, degree, "plain") for degree in (1.0, 0.0))
    assert moved.flipped and moved.p_counterfactual == pytest.approx(
        next(row.p_counterfactual for row in rows if row.image_id == image), abs=1e-4
    )
    assert np.array_equal(still.counterfactual, still.original) and not still.flipped


def test_a_search_that_returns_nothing_says_so(workspace: Workspace, ids: dict[str, int]) -> None:
    run_id = run_of(workspace, ids, "wachter", {"rounds": 1, "steps": 2})
    view = run_view(workspace, run_id)
    assert view.state == "done", view.message
    assert view.directions[0].explained == 0 and view.result["suggested_degree"] is None
    with workspace.session() as session:
        rows = session.scalars(sa.select(Counterfactual).where(Counterfactual.run_id == run_id)).all()
    assert len(rows) == 3 and all(row.degree is None and row.direction_id is None and not row.flipped for row in rows)
    assert all(row.file_key for row in rows), "the best that was tried"
