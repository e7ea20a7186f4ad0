from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa

from cfcore.images.encode import decode_png
from db.models import Event, Image, Pair
from services import pairs as pairs_service
from services.pairs import make_pairs
from services.studies import (
    Finding,
    StudyRefused,
    close_study,
    copy_study,
    create_study,
    delete_draft,
    list_studies,
    lock_study,
    preview,
    study_view,
    update_draft,
    verify_digest,
)
from services.workspace import Workspace
from tests.services.toy_study import finished_run, toy_engine


@pytest.fixture
def run_id(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    return finished_run(workspace)


def made(workspace: Workspace, run_id: int, **changes: object) -> int:
    study_id = create_study(workspace, run_id, actor="ada", n_per_arm=4, **changes)  # type: ignore[arg-type]
    make_pairs(workspace, study_id, actor="ada")
    return study_id


def test_defaults_are_those_of_the_paper_with_own_patients(workspace: Workspace, run_id: int) -> None:
    view = study_view(workspace, create_study(workspace, run_id, actor="ada"))
    assert [arm.name for arm in view.protocol.arms] == ["v1 +", "v2 +", "v7 -"]
    assert (view.protocol.degree, view.protocol.n_per_arm, view.protocol.allocation) == (10.0, 10, "own patients")
    assert view.protocol.reference == "original"
    assert view.protocol.findings[0].label == "Increased cardiothoracic ratio"
    assert "cardiomegaly" not in view.reader_title.casefold()
    assert view.problems == ("No pairs are made yet: choose images and arms, then make the pairs.",)


def test_plain_rendering_stands_beside_the_reconstruction(workspace: Workspace, run_id: int) -> None:
    view = study_view(workspace, made(workspace, run_id, rendering="plain"))
    assert view.protocol.reference == "reconstruction"
    assert {(pair.width, pair.height) for pair in view.pairs} == {(8, 8)}
    first = view.pairs[0]
    original, moved = (decode_png(workspace.get(k)) for k in (first.original_key, first.counterfactual_key))
    assert original.shape == moved.shape and original.dtype == moved.dtype
    assert moved.mean() > original.mean() + 10


@pytest.mark.parametrize("allocation, patients", [("own patients", 12), ("same patients", 4)])
def test_pairs_follow_rule_allocation_and_seed(
    workspace: Workspace, run_id: int, allocation: str, patients: int
) -> None:
    first = study_view(workspace, made(workspace, run_id, allocation=allocation, seed=3))
    again = study_view(workspace, made(workspace, run_id, allocation=allocation, seed=3))
    other = study_view(workspace, made(workspace, run_id, allocation=allocation, seed=4))
    assert len(first.pairs) == 12 and len({pair.patient for pair in first.pairs}) == patients
    assert [(p.arm, p.image_id, p.sha256) for p in _rows(workspace, first.id)] == [
        (p.arm, p.image_id, p.sha256) for p in _rows(workspace, again.id)
    ]
    assert {p.image_id for p in first.pairs} != {p.image_id for p in other.pairs}
    with workspace.session() as session:
        labels = [session.get_one(Image, pair.image_id).labels for pair in first.pairs]
    assert labels == [["Healthy"]] * 12
    assert first.selection is not None and first.selection["predicted"] == "Healthy"


def _rows(workspace: Workspace, study_id: int) -> list[Pair]:
    with workspace.session() as session:
        return list(session.scalars(sa.select(Pair).where(Pair.study_id == study_id).order_by(Pair.id)))


def test_pairs_that_do_not_flip_are_kept_and_marked(workspace: Workspace, run_id: int) -> None:
    view = study_view(workspace, made(workspace, run_id))
    flips = {arm: [p.flipped for p in view.pairs if p.arm == arm] for arm in ("v1+", "v2+", "v7-")}
    assert all(len(flags) == 4 for flags in flips.values())
    assert False in flips["v2+"]
    for pair in view.pairs:
        assert pair.flipped == (pair.p_counterfactual > 0.5)


@pytest.mark.parametrize("max_value, dtype", [(255, np.uint8), (4095, np.uint16)])
def test_both_sides_keep_size_and_depth_and_the_original_its_pixels(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, max_value: int, dtype: type
) -> None:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    view = study_view(workspace, made(workspace, finished_run(workspace, max_value=max_value)))
    for pair in view.pairs:
        original, moved = (decode_png(workspace.get(k)) for k in (pair.original_key, pair.counterfactual_key))
        assert original.dtype == moved.dtype == dtype
        assert original.shape == moved.shape == (24, 20)
        with workspace.session() as session:
            source = decode_png(workspace.get(session.get_one(Image, pair.image_id).file_key))
        assert np.array_equal(original, source)
        change = moved.astype(float) - original
        assert change[12:].mean() == pytest.approx(0.1 * max_value, rel=0.25)


def test_too_few_patients_say_how_many_there_are(workspace: Workspace, run_id: int) -> None:
    study_id = create_study(workspace, run_id, actor="ada", n_per_arm=20)
    with pytest.raises(StudyRefused, match="60 patients are needed, 40 in split test are predicted Healthy"):
        make_pairs(workspace, study_id, actor="ada")
    with pytest.raises(StudyRefused, match="the split 'val' has 0 patients"):
        make_pairs(workspace, study_id, actor="ada", split="val")


def test_a_stop_leaves_the_pairs_and_files_as_they_were(workspace: Workspace, run_id: int) -> None:
    study_id = made(workspace, run_id)
    before = [p.sha256 for p in _rows(workspace, study_id)]
    files = sorted(p.name for p in (workspace.folder / "files").rglob("*.png"))

    def stop(share: float, message: str) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_pairs(workspace, study_id, actor="ada", progress=stop)
    assert [p.sha256 for p in _rows(workspace, study_id)] == before
    assert sorted(p.name for p in (workspace.folder / "files").rglob("*.png")) == files


def test_changing_the_degree_drops_the_pairs_and_rewording_does_not(workspace: Workspace, run_id: int) -> None:
    study_id = made(workspace, run_id)
    assert update_draft(workspace, study_id, actor="ada", title="Another title") == ()
    assert len(_rows(workspace, study_id)) == 12
    problems = update_draft(workspace, study_id, actor="ada", degree=5.0)
    assert len(_rows(workspace, study_id)) == 0 and "No pairs" in problems[0]
    with pytest.raises(StudyRefused, match="has no colour"):
        update_draft(workspace, study_id, actor="ada", colour="red")


def test_findings_come_before_pictures_and_late_changes_are_told(workspace: Workspace, run_id: int) -> None:
    study_id = create_study(workspace, run_id, actor="ada", n_per_arm=2, findings=[])
    with pytest.raises(StudyRefused, match="List the findings first"):
        make_pairs(workspace, study_id, actor="ada")
    with pytest.raises(StudyRefused, match="List the findings first"):
        preview(workspace, study_id, actor="ada")
    update_draft(workspace, study_id, actor="ada", findings=(Finding("ctr", "Increased cardiothoracic ratio"),))
    with pytest.raises(StudyRefused, match="No pairs are made"):
        preview(workspace, study_id, actor="ada")
    make_pairs(workspace, study_id, actor="ada")
    assert len(preview(workspace, study_id, actor="ada")) == 6
    assert not study_view(workspace, study_id).changed_after_preview
    more = (*study_view(workspace, study_id).protocol.findings, Finding("effusion", "Pleural effusion", "secondary"))
    update_draft(workspace, study_id, actor="ada", findings=more)
    assert study_view(workspace, study_id).changed_after_preview


def test_a_locked_study_is_immutable_and_its_digest_covers_the_pairs(workspace: Workspace, run_id: int) -> None:
    study_id = made(workspace, run_id)
    digest = lock_study(workspace, study_id, actor="ada")
    assert len(digest) == 64 and verify_digest(workspace, study_id)
    for change in (
        lambda: update_draft(workspace, study_id, actor="ada", title="Other"),
        lambda: make_pairs(workspace, study_id, actor="ada"),
        lambda: delete_draft(workspace, study_id, actor="ada"),
        lambda: lock_study(workspace, study_id, actor="ada"),
    ):
        with pytest.raises(StudyRefused, match="is locked and cannot change"):
            change()
    pair = _rows(workspace, study_id)[0]
    path = workspace.folder / "files" / pair.counterfactual_key[:2] / pair.counterfactual_key
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert not verify_digest(workspace, study_id)


def test_a_title_that_names_the_class_keeps_the_study_open(workspace: Workspace, run_id: int) -> None:
    study_id = made(workspace, run_id)
    problems = update_draft(workspace, study_id, actor="ada", reader_title="Cardiomegaly pilot")
    assert any("breaks the blinding" in problem for problem in problems)
    with pytest.raises(StudyRefused, match="breaks the blinding"):
        lock_study(workspace, study_id, actor="ada")


def test_a_copy_is_a_new_draft_without_pairs(workspace: Workspace, run_id: int) -> None:
    study_id = made(workspace, run_id)
    lock_study(workspace, study_id, actor="ada")
    copy = study_view(workspace, copy_study(workspace, study_id, actor="ada"))
    source = study_view(workspace, study_id)
    assert copy.state == "draft" and copy.pairs == ()
    assert copy.protocol == replace(source.protocol, title=source.title + " (copy)")


def test_states_pass_in_order_and_leave_events(workspace: Workspace, run_id: int) -> None:
    study_id = made(workspace, run_id)
    with pytest.raises(StudyRefused, match="not open for reading"):
        close_study(workspace, study_id, actor="ada")
    lock_study(workspace, study_id, actor="ada")
    close_study(workspace, study_id, actor="ada")
    with workspace.session() as session:
        kinds = list(session.scalars(sa.select(Event.kind).where(Event.subject == f"study {study_id}")))
    assert kinds == ["study created", "pairs made", "study locked", "study closed"]
    summary = list_studies(workspace)[0]
    assert (summary.state, summary.n_pairs, summary.n_readers) == ("closed", 12, 0)


def test_deleting_a_draft_removes_its_files(workspace: Workspace, run_id: int) -> None:
    study_id = made(workspace, run_id)
    keys = [key for p in _rows(workspace, study_id) for key in (p.original_key, p.counterfactual_key)]
    delete_draft(workspace, study_id, actor="ada")
    assert list_studies(workspace) == []
    for key in keys:
        with pytest.raises(FileNotFoundError):
            workspace.get(key)


def test_only_finished_runs_and_their_own_directions_serve(workspace: Workspace, run_id: int) -> None:
    with pytest.raises(StudyRefused, match="no finished run"):
        create_study(workspace, 99, actor="ada")
    with pytest.raises(StudyRefused, match="has no direction v99"):
        create_study(workspace, run_id, actor="ada", directions=["v99"])
    with pytest.raises(StudyRefused, match="There is no study 7"):
        study_view(workspace, 7)
