from __future__ import annotations

from services.dataset_views import class_table, patients_by_split
from services.workspace import Workspace
from tests.services.shift_engine import scene


def test_a_split_has_the_patients_that_a_run_may_use(workspace: Workspace) -> None:
    """An image that waits for a look counts in the table, not among what a run can draw."""
    dataset_id = scene(workspace, images=5)["dataset"]
    assert patients_by_split(workspace, dataset_id) == {"test": 6, "val": 5}
    assert class_table(workspace, dataset_id)["all images"]["test"].patients == 7
    assert patients_by_split(workspace, 99) == {}
