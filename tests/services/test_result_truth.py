"""What each arm or kept direction really moves: asked for after closing, measured by the worker, shown and exported."""

from __future__ import annotations

import shutil

import pytest
import sqlalchemy as sa

from db.models import Counterfactual, Dataset, Direction, Run, Study
from services import pairs, result_truth
from services.accounts import ensure_account
from services.foreground import finish_run
from services.importing import import_phantom
from services.pairs import make_pairs
from services.permissions import NotAllowed
from services.result_truth import (
    measure_run_directions,
    measure_study,
    truth_of_run,
    truth_of_study,
)
from services.runs import RunRefused, engine_folder, run_view, start_run
from services.studies import close_study, create_study, study_view
from services.worker import measure
from services.workspace import Workspace
from tests.services.toy_study import DIRECTIONS, finished_run, toy_engine


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy engine in place of one from disk."""
    monkeypatch.setattr(measure, "open_engine", toy_engine)
    monkeypatch.setattr(pairs, "open_engine", toy_engine)


def phantom_run(workspace: Workspace) -> int:
    """A finished run over 40 phantoms of 128 px, three of which it has explained; two directions kept."""
    dataset_id = import_phantom(workspace, "phantoms", 40, 128, 5, "cardiomegaly").dataset_id
    with workspace.session() as session:
        images = session.get_one(Dataset, dataset_id).images
        for image in images:
            image.split = "test"
        run = Run(
            name="Toy", kind="explain", engine="eigenfind", state="done", dataset_id=dataset_id, progress=1.0,
            settings={"target": "Cardiomegaly"}, inputs={}, versions={},
        )  # fmt: skip
        session.add(run)
        session.flush()
        for rank, name in enumerate(DIRECTIONS[:3]):
            session.add(
                Direction(
                    run_id=run.id, rank=rank, name=name, index=rank, sign=1, mean_change=2.0, explained=0.5,
                    kept=rank < 2,
                )
            )  # fmt: skip
        for i, image in enumerate(images[:3]):
            session.add(
                Counterfactual(
                    run_id=run.id, image_id=image.id, degree=4.0, tried=1, rendering="detail transfer",
                    p_source=0.9 if i == 2 else 0.1, p_reconstruction=0.1, p_counterfactual=0.8, flipped=True,
                    flipped_plain=True, file_key=image.file_key,
                )
            )  # fmt: skip
        run_id = run.id
    engine_folder(workspace, run_id).mkdir(parents=True)
    return run_id


def phantom_study(workspace: Workspace, state: str = "closed") -> int:
    """Two pairs in each of two arms over phantoms."""
    study_id = create_study(
        workspace, phantom_run(workspace), actor="ada", findings="cardiomegaly", n_per_arm=2, seed=1
    )
    make_pairs(workspace, study_id, actor="ada")
    with workspace.session() as session:
        session.get_one(Study, study_id).state = state
    return study_id


def test_the_arms_of_a_closed_phantom_study_are_measured_once(workspace: Workspace) -> None:
    study_id = phantom_study(workspace)
    before = truth_of_study(workspace, study_view(workspace, study_id))
    assert before is not None and before.state == "none" and not before.effects
    run_id = measure_study(workspace, study_id, actor="ada")
    assert measure_study(workspace, study_id, actor="ada") == run_id, "a second press asks for nothing new"
    waiting = truth_of_study(workspace, study_view(workspace, study_id))
    assert waiting is not None and waiting.state == "under way"
    view = finish_run(workspace, run_id)
    found = truth_of_study(workspace, study_view(workspace, study_id))
    assert found is not None and found.state == "done"
    arms = [arm.name for arm in study_view(workspace, study_id).protocol.arms]
    assert [e.direction for e in found.effects] == arms and len(arms) >= 2
    assert all(e.effect.n >= 2 and e.effect.measurable > 0 for e in found.effects)
    assert not any(e.pacemaker.yes for e in found.effects), "brightening draws no pacemaker"
    keys = {f.key for f in study_view(workspace, study_id).protocol.findings}
    assert found.findings is not None and {finding for finding, _ in found.findings} == keys
    assert all(cell["n"] == 2 and 0 <= cell["share"] <= 1 for cell in found.findings.values())
    assert set(view.inputs["images"]) == {str(p.image_id) for p in study_view(workspace, study_id).pairs}


def test_closing_a_phantom_study_asks_for_its_truth(workspace: Workspace) -> None:
    study_id = phantom_study(workspace, state="locked")
    close_study(workspace, study_id, actor="ada")
    truth = truth_of_study(workspace, study_view(workspace, study_id))
    assert truth is not None and truth.state == "under way"


def test_only_who_may_see_results_may_measure(workspace: Workspace) -> None:
    study_id = phantom_study(workspace)
    reader = ensure_account(workspace, "bob", "Bob", "reader")
    with pytest.raises(NotAllowed):
        measure_study(workspace, study_id, actor=f"account {reader}")
    with pytest.raises(NotAllowed):
        measure_run_directions(workspace, study_view(workspace, study_id).run_id or 0, actor=f"account {reader}")


def test_an_open_study_is_not_measured(workspace: Workspace) -> None:
    study_id = phantom_study(workspace, state="locked")
    with pytest.raises(RunRefused, match="after its closing"):
        measure_study(workspace, study_id, actor="ada")


def test_the_kept_directions_of_a_run_are_measured_on_what_the_classifier_calls_healthy(workspace: Workspace) -> None:
    run_id = phantom_run(workspace)
    truth = truth_of_run(workspace, run_view(workspace, run_id))
    assert truth is not None and truth.state == "none"
    measured = finish_run(workspace, measure_run_directions(workspace, run_id, actor="ada"))
    found = truth_of_run(workspace, run_view(workspace, run_id))
    assert found is not None and [e.direction for e in found.effects] == ["v1 +", "v2 +"]
    assert all(e.effect.n == 2 for e in found.effects), "the third image is called diseased already"
    assert {move["degree"] for move in measured.settings["moves"]} == {4.0} and found.findings == {}


def test_what_was_cut_off_goes_on_at_the_next_direction(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = measure_run_directions(workspace, phantom_run(workspace), actor="ada")
    whole = measure.effect_along
    asked: list[str] = []

    def cut(*args: object, **more: object) -> object:
        asked.append(str(args[3]))
        if len(asked) == 2:
            raise ValueError("cut off")
        return whole(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(measure, "effect_along", cut)
    with pytest.raises(RuntimeError, match=r"[Cc]ut off"):
        finish_run(workspace, run_id)
    source = MeasuredRun(workspace, run_id)
    assert source.state == "ended early" and source.names == ["v1 +"]
    from services.runs import resume_run

    resume_run(workspace, run_id, "ada")
    finish_run(workspace, run_id)
    assert asked == ["v1 +", "v2 +", "v2 +"] and MeasuredRun(workspace, run_id).names == ["v1 +", "v2 +"]


class MeasuredRun:
    """What a page sees of the run that a measuring run is about."""

    def __init__(self, workspace: Workspace, run_id: int) -> None:
        truth = truth_of_run(workspace, run_view(workspace, run_view(workspace, run_id).settings["moves"][0]["run"]))
        assert truth is not None
        self.state, self.names = truth.state, [one.direction for one in truth.effects]


def test_real_images_or_a_lost_engine_have_no_truth(workspace: Workspace) -> None:
    run_id = finished_run(workspace, n_images=12)
    engine_folder(workspace, run_id).mkdir(parents=True)
    study_id = create_study(workspace, run_id, actor="ada", n_per_arm=1)
    make_pairs(workspace, study_id, actor="ada")
    assert truth_of_study(workspace, study_view(workspace, study_id)) is None
    phantom = phantom_run(workspace)
    shutil.rmtree(engine_folder(workspace, phantom))
    assert truth_of_run(workspace, run_view(workspace, phantom)) is None
    with pytest.raises(RunRefused, match="phantoms only"):
        measure_run_directions(workspace, phantom, actor="ada")


def test_a_measuring_run_says_what_it_needs(workspace: Workspace) -> None:
    run_id = phantom_run(workspace)
    with workspace.session() as session:
        dataset_id = session.scalars(sa.select(Run.dataset_id).where(Run.id == run_id)).one()
    with pytest.raises(RunRefused, match="needs images"):
        start_run(workspace, "measure", "x", {"moves": [{"name": "v1 +"}]}, 0, dataset_id)
    assert result_truth.KIND == "measure"
