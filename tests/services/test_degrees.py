from __future__ import annotations

import pytest

from services import degrees, pairs
from services.degrees import Flips, flips_by_degree, higher_degrees, suggested
from services.pairs import make_pairs
from services.studies import create_study, study_view, update_draft
from services.workspace import Workspace
from tests.services.toy_study import finished_run, toy_engine


@pytest.mark.parametrize(
    ("degree", "most", "expected"),
    [
        (10, 20, (12.5, 15.0, 17.5, 20.0)),
        (19, 20, (19.5, 20.0)),
        (20, 20, ()),
        (25, 20, ()),
        (2, 5, (3.0, 3.5, 4.0, 5.0)),
    ],
)
def test_degrees_to_try_rise_to_the_highest(degree: float, most: float, expected: tuple[float, ...]) -> None:
    found = higher_degrees(degree, most)
    assert all(degree < value <= most for value in found) and list(found) == sorted(set(found))
    assert found == pytest.approx(expected, abs=0.5)


def test_the_least_degree_that_flips_half_of_every_arm_is_suggested() -> None:
    sizes = {"a": 10, "b": 10}
    tried = [Flips(12, {"a": 5, "b": 4}, sizes), Flips(14, {"a": 6, "b": 5}, sizes), Flips(16, {"a": 9, "b": 9}, sizes)]
    assert suggested(tried) == tried[1] and suggested(tried[:1]) == tried[0] and suggested([]) is None
    assert tried[1].share == pytest.approx(0.55)


@pytest.fixture
def study_id(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    """A draft whose arms brighten (all of the image, its lower half) too little to flip."""
    for module in (pairs, degrees):
        monkeypatch.setattr(module, "open_engine", toy_engine)
    study_id = create_study(
        workspace, finished_run(workspace), actor="ada", n_per_arm=4, directions=("v1 +", "v2 +"), degree=4.0
    )
    make_pairs(workspace, study_id, actor="ada")
    return study_id


def test_the_count_is_what_new_pairs_then_show(workspace: Workspace, study_id: int) -> None:
    view = study_view(workspace, study_id)
    assert not any(pair.flipped for pair in view.pairs)
    said: list[float] = []
    tried = flips_by_degree(workspace, view, ["v1+", "v2+"], lambda share, _: said.append(share))
    assert [flips.degree for flips in tried] == [8.0, 12.0, 16.0, 20.0] and said[-1] == pytest.approx(1.0)
    assert tried[0].share < tried[-1].share and tried[-1].flipped["v1+"] > tried[-1].flipped["v2+"]
    assert study_view(workspace, study_id).pairs == view.pairs
    update_draft(workspace, study_id, actor="ada", degree=20.0)
    make_pairs(workspace, study_id, actor="ada")
    made = study_view(workspace, study_id).pairs
    for arm, flipped in tried[-1].flipped.items():
        assert flipped == sum(pair.flipped for pair in made if pair.arm == arm)


def test_at_the_highest_degree_there_is_nothing_to_try(workspace: Workspace, study_id: int) -> None:
    update_draft(workspace, study_id, actor="ada", degree=20.0)
    make_pairs(workspace, study_id, actor="ada")
    assert flips_by_degree(workspace, study_view(workspace, study_id), ["v2+"]) == []
