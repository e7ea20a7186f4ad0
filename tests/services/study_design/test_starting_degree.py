"""The degree that a study of a run begins with."""

from __future__ import annotations

from typing import Any

import pytest

from cfcore.engines.medxgan.config import MedXGANConfig
from cfcore.engines.stored import write_engine
from db.models import Run
from services.runs import engine_folder
from services.study_design.starting_degree import starting_degree
from services.workspace import Workspace
from tests.services.toy_study import finished_run


@pytest.mark.parametrize(
    ("result", "config", "stored", "expected"),
    [
        ({"suggested_degree": 0.75}, {"degree": 5.0}, 0.75, 0.75),
        ({"suggested_degree": None}, {"degree": 5.0}, 1.0, 5.0),
        ({"suggested_degree": None}, {"steps": 20}, 1.0, 1.0),
        ({}, {}, None, 10.0),
    ],
)
def test_measured_before_searched_before_the_methods_own(
    workspace: Workspace, result: dict[str, Any], config: dict[str, Any], stored: float | None, expected: float
) -> None:
    run_id = finished_run(workspace, 3)
    if stored is not None:
        write_engine(engine_folder(workspace, run_id), {}, MedXGANConfig(), (), stored)
    with workspace.session() as session:
        run = session.get_one(Run, run_id)
        run.result, run.settings = result, {"target": "Cardiomegaly", "config": config}
        assert starting_degree(workspace, run) == expected
