"""Pairs of designs with a gate, controls, training, several runs; their schedules; what the lock covers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa

from cfcore.images.encode import decode_png, encode_png
from cfcore.study.design.choices import Control, Design, Gate, Repeats, Training
from cfcore.study.design.crossing import crossed
from cfcore.study.protocol import Arm
from db.models import Dataset, ExcludedPair, Image, Pair, PlannedTrial, Run
from services import pairs as pairs_service
from services.explore import OpenEngine
from services.pairs import make_pairs
from services.studies import StudyRefused, create_study, delete_draft, lock_study, study_view, update_draft
from services.study_design.documents import exclusion_units, exclusions
from services.study_design.planning import exposure_line, plan_balance
from services.study_design.training import set_truth
from services.workspace import Workspace
from tests.services.toy_study import Brighten, finished_run, toy_engine


@pytest.fixture
def run_id(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    return finished_run(workspace, 90)


def made(workspace: Workspace, run_id: int, n: int = 3, **changes: object) -> int:
    study_id = create_study(workspace, run_id, actor="ada", n_per_arm=n)
    update_draft(workspace, study_id, actor="ada", **changes)
    make_pairs(workspace, study_id, actor="ada")
    return study_id


CONTROLS = tuple(Control(kind, 2) for kind in ("identical", "reconstruction", "filter", "patients"))


def test_every_control_is_an_arm_of_its_own_with_patients_of_its_own(workspace: Workspace, run_id: int) -> None:
    view = study_view(workspace, made(workspace, run_id, controls=CONTROLS, degree=5.0))
    assert view.problems == ()
    kinds = Counter(pair.kind for pair in view.pairs)
    assert kinds == {"counterfactual": 9, "identical": 2, "reconstruction": 2, "filter": 2, "patients": 2}
    patients = [p.patient for p in view.pairs] + [p.meta["second_patient"] for p in view.pairs if p.kind == "patients"]
    assert len(patients) == len(set(patients))
    sides = {
        pair.id: [decode_png(workspace.get(k)).astype(float) for k in (pair.original_key, pair.counterfactual_key)]
        for pair in view.pairs
    }
    wanted = np.median(
        [np.abs(np.subtract(*sides[p.id])).mean() / 255 for p in view.pairs if p.kind == "counterfactual"]
    )
    for pair in view.pairs:
        first, second = sides[pair.id]
        assert first.shape == second.shape and pair.arm == (pair.kind if pair.kind != "counterfactual" else pair.arm)
        if pair.kind == "identical":
            assert np.array_equal(first, second)
        if pair.kind == "filter":
            assert np.abs(first - second).mean() / 255 == pytest.approx(wanted, rel=0.1)
        if pair.kind == "reconstruction":
            assert first.shape == (24, 20) and second.mean() == pytest.approx(0.98 * first.mean(), rel=0.02)
    assert len({(pair.width, pair.height, pair.max_value, pair.window) for pair in view.pairs}) == 1
    assert [box.n for box in view.flow if box.text.startswith("control pairs")] == [2, 2, 2, 2]


def test_two_patients_of_different_size_and_depth_stand_in_one_frame(workspace: Workspace, run_id: int) -> None:
    with workspace.session() as session:
        for image in session.scalars(sa.select(Image)):
            if image.id % 2:
                pixels = decode_png(workspace.get(image.file_key))[:22, :18].astype(np.uint16) * 16
                image.file_key = workspace.put(encode_png(pixels), ".png")
                image.height, image.width, image.max_value = 22, 18, 4080
    study_id = made(workspace, run_id, n=1, controls=(Control("patients", 9),))
    mixed = 0
    for pair in study_view(workspace, study_id).pairs:
        first, second = (decode_png(workspace.get(k)) for k in (pair.original_key, pair.counterfactual_key))
        assert first.shape == second.shape == (pair.height, pair.width) and first.dtype == second.dtype
        if pair.kind == "patients":
            mixed += (pair.image_id - pair.meta["second_image"]) % 2
            assert 0.15 < second.mean() / pair.max_value < 0.6
    assert mixed == 1


@pytest.mark.parametrize("reference", ["original", "reconstruction"])
def test_controls_of_plain_studies_have_the_size_of_their_pairs(
    workspace: Workspace, run_id: int, reference: str
) -> None:
    study_id = made(workspace, run_id, controls=CONTROLS, rendering="plain", reference=reference, degree=5.0)
    view = study_view(workspace, study_id)
    assert {(pair.width, pair.height, pair.window) for pair in view.pairs} == {(8, 8, None)}
    for pair in view.pairs:
        first, second = (decode_png(workspace.get(k)).mean() for k in (pair.original_key, pair.counterfactual_key))
        if pair.kind == "reconstruction":
            assert second == pytest.approx(0.98 * first, rel=0.02)


def test_the_gate_counts_what_it_keeps_back_and_keeps_failed_reconstructions(workspace: Workspace, run_id: int) -> None:
    study_id = made(workspace, run_id, arms=(Arm("v1+", "v1 +"),), degree=20.0, n=9, gate=Gate(flipped="yes"))
    view = study_view(workspace, study_id)
    assert all(pair.flipped for pair in view.pairs) and len(view.pairs) == 9
    with workspace.session() as session:
        gone = list(session.scalars(sa.select(ExcludedPair).where(ExcludedPair.study_id == study_id)))
    assert gone and {row.reason for row in gone} == {"the class did not flip"}
    assert not {row.image_id for row in gone} & {pair.image_id for pair in view.pairs}
    assert decode_png(workspace.get(gone[0].reconstruction_key)).shape == (8, 8)
    original, drawn = exclusion_units(workspace, exclusions(workspace, study_id)[0])
    assert drawn.mean() == pytest.approx(0.98 * original.mean(), rel=0.02) and 0.2 < original.mean() < 0.5
    told = {box.text: box.n for box in view.flow}
    assert told["the class did not flip"] == len(gone)
    assert told["patients whose counterfactuals were drawn"] == 9 + len(gone)
    path = [box.n for box in view.flow if not box.aside]
    assert path[0] == 90 and path[1] == 90 and told["not predicted Healthy"] == 30
    with pytest.raises(StudyRefused, match="passed the gate"):
        update_draft(workspace, study_id, actor="ada", gate=Gate(ssim_floor=0.9999))
        make_pairs(workspace, study_id, actor="ada")
    delete_draft(workspace, study_id, actor="ada")
    with pytest.raises(FileNotFoundError):
        workspace.get(gone[0].original_key)


def test_common_patients_must_pass_under_every_arm(workspace: Workspace, run_id: int) -> None:
    view = study_view(
        workspace, made(workspace, run_id, allocation="same patients", gate=Gate(same_class=True, flipped="no"))
    )
    by_arm = {arm.key: [p.patient for p in view.pairs if p.arm == arm.key] for arm in view.protocol.arms}
    assert len({tuple(sorted(patients)) for patients in by_arm.values()}) == 1
    assert not any(pair.flipped for pair in view.pairs)


def test_arms_of_two_runs_degrees_and_renderings_stand_in_one_study(
    workspace: Workspace, run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Darken(Brighten):
        def _render(self, codes, images, direction, degrees, target):  # type: ignore[no-untyped-def]
            return super()._render(codes, images, None, -degrees, target)

    with workspace.session() as session:
        first = session.get_one(Run, run_id)
        other = Run(
            name="Other", kind="explain", engine="darken", state="done", dataset_id=first.dataset_id, progress=1.0,
            settings={"target": "Cardiomegaly"}, inputs={"weights": "def"}, versions={},
        )  # fmt: skip
        session.add(other)
        session.flush()
        other_id = other.id

    def opened(workspace: Workspace, run: int) -> OpenEngine:
        found = toy_engine(workspace, run)
        return found if run == run_id else replace(found, engine=Darken())

    monkeypatch.setattr(pairs_service, "open_engine", opened)
    arms = (
        *crossed([("v1 +", "v1 +"), ("v2 +", "v2 +")], [5, 10]),
        Arm("dark", "Darken", run=other_id, degree=20, rendering="plain"),
    )
    view = study_view(workspace, made(workspace, run_id, n=2, arms=arms))
    assert [arm.key for arm in arms] == ["v1+@5", "v1+@10", "v2+@5", "v2+@10", "dark"] and len(view.pairs) == 10
    change = {}
    for arm in arms:
        own = [p for p in view.pairs if p.arm == arm.key]
        assert {p.meta["degree"] for p in own} == {arm.degree} and {p.meta["run"] for p in own} == {arm.run or run_id}
        pictures = [
            [decode_png(workspace.get(k)).astype(float) for k in (p.original_key, p.counterfactual_key)] for p in own
        ]
        change[arm.key] = np.mean([moved.mean() - original.mean() for original, moved in pictures])
    assert change["v1+@10"] > 1.5 * change["v1+@5"] > change["v2+@5"] > 0 > change["dark"]
    digest = lock_study(workspace, view.id, actor="ada")
    with workspace.session() as session:
        session.execute(sa.update(Run).where(Run.id == other_id).values(inputs={"weights": "changed"}))
    from services.study_design.locking import integrity

    assert integrity(workspace, view.id).changes == ("The runs behind the arms differ from what was locked.",)
    assert len(digest) == 64


def test_arms_that_cannot_stand_beside_each_other_are_named(workspace: Workspace, run_id: int) -> None:
    with workspace.session() as session:
        dataset = Dataset(name="Another")
        session.add(dataset)
        session.flush()
        other = Run(name="O", kind="explain", engine="x", state="done", dataset_id=dataset.id, settings={})
        waiting = Run(name="W", kind="explain", engine="x", state="running", dataset_id=dataset.id, settings={})
        session.add_all([other, waiting])
        session.flush()
        ids = other.id, waiting.id
    for arm, word in (
        (Arm("a", "A", run=ids[0]), "another data set"),
        (Arm("a", "A", run=ids[1]), "is running"),
        (Arm("a", "A", run=99), "is gone"),
        (Arm("a", "v1 +", target="Effusion"), "knows no class"),
        (Arm("a", "v77 +"), "no direction"),
    ):
        with pytest.raises(StudyRefused, match=word):
            made(workspace, run_id, arms=(arm,))


def test_the_plan_is_stored_shown_and_follows_the_design(workspace: Workspace, run_id: int) -> None:
    study_id = made(workspace, run_id, controls=CONTROLS[:1], repeats=Repeats(2, 3), guess_share=0.1)
    table, cases = plan_balance(workspace, study_id)
    assert table.readers == 3 and table.readers_per_case == (3, 3) and table.exposures == 1
    assert [arm.arm for arm in table.arms] == ["v1+", "v2+", "v7-", "identical"]
    assert Counter(case.purpose for case in cases) == {"counted": 27, "control": 6, "repeat": 6, "guess": 3}
    update_draft(workspace, study_id, actor="ada", design=Design(readers=4, cases="blocks", readers_per_case=2))
    table, cases = plan_balance(workspace, study_id)
    assert table.readers == 4 and table.readers_per_case == (2, 2) and len(study_view(workspace, study_id).pairs) == 11
    assert "once" in exposure_line(study_view(workspace, study_id).protocol, table.exposures)
    with workspace.session() as session:
        assert session.scalar(sa.select(sa.func.count(PlannedTrial.id))) == len(cases)


def test_training_cases_need_right_answers_before_the_lock(workspace: Workspace, run_id: int) -> None:
    study_id = made(workspace, run_id, training=Training(2, 0.5))
    view = study_view(workspace, study_id)
    assert len(view.problems) == 1 and "no right answers" in view.problems[0]
    training = [pair for pair in view.pairs if pair.kind == "training"]
    assert len(training) == 2 and {pair.arm for pair in training} == {"training"}
    with pytest.raises(StudyRefused, match="nose"):
        set_truth(workspace, training[0].id, {"nose": "both"}, actor="ada")
    with pytest.raises(StudyRefused, match="left"):
        set_truth(workspace, training[0].id, {"ctr": "left"}, actor="ada")
    with pytest.raises(StudyRefused, match="evidence"):
        set_truth(workspace, view.pairs[0].id, {"ctr": "both"}, actor="ada")
    for pair in training:
        set_truth(workspace, pair.id, {"ctr": "counterfactual"}, actor="ada")
    assert study_view(workspace, study_id).problems == ()
    lock_study(workspace, study_id, actor="ada")
    with workspace.session() as session:
        assert session.get_one(Pair, training[0].id).truth == {"ctr": [False, True]}


def test_rotated_patients_are_drawn_under_every_arm(workspace: Workspace, run_id: int) -> None:
    study_id = made(workspace, run_id, n=2, allocation="rotated patients", design=Design(readers=3))
    view = study_view(workspace, study_id)
    assert view.problems == () and len(view.pairs) == 18 and {p.meta["block"] for p in view.pairs} == {0, 1, 2}
    table, _ = plan_balance(workspace, study_id)
    assert table.exposures == 1 and table.cases_per_reader == (6, 6) and table.readers_per_case == (1, 1)
