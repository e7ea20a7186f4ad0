"""What each arm really moves, for a study on phantoms; nothing where nobody knows the truth."""

from __future__ import annotations

import pytest
import torch

from db.models import Dataset, Direction, Run
from services import explore, pairs, phantom_effects
from services.importing import import_phantom
from services.pairs import make_pairs
from services.phantom_effects import effects_of, study_effects
from services.studies import create_study
from services.workspace import Workspace
from tests.services.toy_study import DIRECTIONS, Brighten, finished_run, toy_engine


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy engine in place of one from disk: the run of these tests has none."""
    monkeypatch.setattr(explore, "open_engine", toy_engine)
    monkeypatch.setattr(pairs, "open_engine", toy_engine)


def phantom_study(workspace: Workspace) -> int:
    """A study with two pairs in each of two arms, over phantoms of 128 px."""
    dataset_id = import_phantom(workspace, "phantoms", 40, 128, 5, "cardiomegaly").dataset_id
    with workspace.session() as session:
        for image in session.get_one(Dataset, dataset_id).images:
            image.split = "test"
        run = Run(
            name="Toy", kind="explain", engine="brighten", state="done", dataset_id=dataset_id, progress=1.0,
            settings={"target": "Cardiomegaly", "config": {"degree": 10.0}}, inputs={}, versions={},
        )  # fmt: skip
        session.add(run)
        session.flush()
        for rank, name in enumerate(DIRECTIONS[:2]):
            session.add(
                Direction(run_id=run.id, rank=rank, name=name, index=rank, sign=1, mean_change=2.0, explained=0.5)
            )
        run_id = run.id
    return create_study(workspace, run_id, actor="ada", findings="cardiomegaly", n_per_arm=2, seed=1)


def test_the_arms_of_a_phantom_study_are_measured(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    study_id = phantom_study(workspace)
    assert study_effects(workspace, study_id) is None, "there are no pairs yet"
    make_pairs(workspace, study_id, actor="ada")
    found = study_effects(workspace, study_id)
    assert found is not None and [(e.direction, e.rank) for e in found] == [("v1 +", 1), ("v2 +", 2)]
    assert all(e.effect.n >= 2 and e.effect.measurable > 0 for e in found)
    assert not any(e.pacemaker.yes for e in found), "brightening draws no pacemaker"
    monkeypatch.setattr(phantom_effects, "effects_of", None)
    assert study_effects(workspace, study_id) is found, "the second call comes from memory"


def test_real_images_have_no_truth(workspace: Workspace) -> None:
    study_id = create_study(workspace, finished_run(workspace, n_images=12), actor="ada", n_per_arm=1)
    make_pairs(workspace, study_id, actor="ada")
    assert study_effects(workspace, study_id) is None


def test_a_direction_that_does_nothing_to_the_picture_moves_no_factor() -> None:
    from cfcore.images.phantom import render, sample_patient

    images = torch.stack([torch.from_numpy(render(sample_patient(8_000_000 + i), 64)) for i in range(3)])[:, None]
    still = effects_of(Brighten(), [images], 1, ["v1 +"], 1e-6, steps=3)[0].effect
    assert all(abs(e.standardised or 0.0) < 1e-3 for e in still.effects) and still.measurable == 3
    sizes = effects_of(Brighten(), [images[:2], images[2:]], 1, ["v1 +", "v2 +"], 10.0, steps=3)
    assert [e.effect.n for e in sizes] == [3, 3]
