from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import pytest
import sqlalchemy as sa

from cfcore.images.encode import encode_png
from cfcore.images.phantom import Measurement, Patient, counterfactual, render, sample_patient
from cfcore.study.protocol import FINDING_LISTS
from db.models import Dataset, Entry, Image, Pair, Reading, Run, Study
from services import demo_truth
from services.accounts import DEMO_LOGINS, ensure_account, is_demo, open_demo
from services.demo import prepare_demo
from services.demo_parts import FINISHED, WAITING
from services.demo_truth import RULES, truth_of
from services.reading import reading_list
from services.results import results
from services.studies import create_study, list_studies, verify_digest
from services.workspace import Workspace, open_workspace
from tests.services.toy_study import finished_run


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A demo workspace at a quarter of the size, prepared once."""
    opened = open_workspace(tmp_path_factory.mktemp("demo"))
    prepare_demo(opened, size=128)
    yield opened
    opened.engine.dispose()


def count(workspace: Workspace, table: type) -> int:
    with workspace.session() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_every_page_has_something_to_show(demo: Workspace) -> None:
    assert is_demo(demo)
    found = {study.title: study for study in list_studies(demo)}
    finished, waiting = found[FINISHED], found[WAITING]
    assert (finished.state, finished.n_pairs, finished.done, finished.total) == ("closed", 30, 90, 90)
    assert finished.simulated and verify_digest(demo, finished.id)
    assert (waiting.state, waiting.n_pairs, waiting.done, waiting.total) == ("locked", 12, 0, 12)
    assert count(demo, Entry) == 3 and count(demo, Run) == 2


def test_the_demo_reader_has_one_series_to_read(demo: Workspace) -> None:
    account_id = ensure_account(demo, DEMO_LOGINS["reader"], "Demo reader", "reader")
    series = reading_list(demo, account_id)
    assert [(one.total, one.complete, one.open) for one in series] == [(12, 0, True)]
    assert len(open_demo(demo, "reader")) > 20 and len(open_demo(demo, "researcher")) > 20


def test_simulated_readers_agree_about_as_far_as_they_were_told_to(demo: Workspace) -> None:
    found = results(demo, next(study.id for study in list_studies(demo) if study.title == FINISHED))
    assert found.simulated == ("R1", "R2", "R3")
    # Two readers judge one image alike in 84 to 93 % (see the notes of the protocol), a pair of images less often.
    assert 0.70 < found.headline.raw_agreement.value < 0.97  # type: ignore[operator]
    assert "simulated" in found.study.protocol.notes
    assert all(reader.simulated for reader in found.study.readers)


def test_a_second_call_is_quick_and_changes_nothing(demo: Workspace) -> None:
    before = [count(demo, table) for table in (Dataset, Image, Run, Study, Reading, Entry)]
    started = time.process_time()
    prepare_demo(demo)
    assert time.process_time() - started < 1
    assert [count(demo, table) for table in (Dataset, Image, Run, Study, Reading, Entry)] == before


def test_a_demo_that_was_cut_off_is_completed_without_doubles(demo: Workspace) -> None:
    with demo.session() as session:
        for entry in session.scalars(sa.select(Entry)):
            session.delete(entry)
    (demo.folder / "demo").write_text("")
    prepare_demo(demo)
    assert [count(demo, table) for table in (Dataset, Run, Study, Reading, Entry)] == [1, 2, 2, 90, 3]


def test_a_workspace_with_data_of_its_own_is_left_alone(workspace: Workspace) -> None:
    finished_run(workspace, n_images=3)
    said: list[str] = []
    prepare_demo(workspace, lambda share, message: said.append(message))
    assert not is_demo(workspace) and count(workspace, Dataset) == 1
    assert "left as it is" in said[-1]


def pair_of(workspace: Workspace, study_id: int, original: Patient, moved: Patient, flipped: bool = False) -> int:
    """A stored pair of two phantom renders."""
    keys = [
        workspace.put(encode_png(np.rint(render(patient, 128) * 255).astype(np.uint8)), ".png")
        for patient in (original, moved)
    ]
    meta = {"phantom": {"seed": original.seed, "factors": asdict(original.factors)}}
    with workspace.session() as session:
        dataset_id = session.get_one(Study, study_id).dataset_id
        image = Image(
            dataset_id=dataset_id, file_key=keys[0], patient=f"x{original.seed}", split="test", width=128, height=128,
            sha256="0" * 64, meta=meta,
        )  # fmt: skip
        session.add(image)
        session.flush()
        pair = Pair(
            study_id=study_id, arm="v1+", image_id=image.id, patient=image.patient, original_key=keys[0],
            counterfactual_key=keys[1], sha256="0" * 64, width=128, height=128, max_value=255, p_source=0.1,
            p_reconstruction=0.1, p_counterfactual=0.9, flipped=flipped,
        )  # fmt: skip
        session.add(pair)
        session.flush()
        return pair.id


def test_truth_is_what_the_phantom_really_shows(workspace: Workspace) -> None:
    study_id = create_study(workspace, finished_run(workspace, n_images=3), actor="ada", n_per_arm=1)
    healthy = counterfactual(
        sample_patient(4242, "cardiomegaly", positive=False),
        cardiothoracic_ratio=0.42, effusion_left=0.0, effusion_right=0.0, pacemaker=False, age=40.0, lucency=0.0,
    )  # fmt: skip
    changes = {
        "ctr": {"cardiothoracic_ratio": 0.58},
        "effusion": {"effusion_left": 0.15},
        "pacemaker": {"pacemaker": True},
        "older": {"age": 85.0},
    }
    pairs = {
        key: pair_of(workspace, study_id, healthy, counterfactual(healthy, **change)) for key, change in changes.items()
    }
    truth = truth_of(workspace, study_id)
    for key, pair_id in pairs.items():
        assert truth[pair_id, key] == (False, True), key
    assert truth[pairs["ctr"], "pacemaker"] == (False, False)
    assert truth[pairs["pacemaker"], "ctr"] == (False, False)


def test_what_cannot_be_measured_follows_the_stated_rule(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    blind = Measurement(False, "the image does not look like a phantom", 3.0)
    monkeypatch.setattr(demo_truth, "measure_batch", lambda images: [blind] * len(images))
    study_id = create_study(workspace, finished_run(workspace, n_images=3), actor="ada", n_per_arm=1)
    old = counterfactual(sample_patient(7, "cardiomegaly", positive=False), cardiothoracic_ratio=0.42, age=80.0)
    flipped, kept = (pair_of(workspace, study_id, old, old, flipped=flag) for flag in (True, False))
    truth = truth_of(workspace, study_id)
    assert truth[flipped, "ctr"] == (False, True) and truth[kept, "ctr"] == (False, False)
    assert truth[flipped, "older"] == truth[kept, "older"] == (True, True)


def test_a_finding_without_a_rule_is_named(workspace: Workspace) -> None:
    study_id = create_study(
        workspace, finished_run(workspace, n_images=3), actor="ada", findings=FINDING_LISTS["pneumonia"]
    )
    with pytest.raises(ValueError, match="no rule says when consolidation"):
        truth_of(workspace, study_id)
    assert {finding.key for finding in FINDING_LISTS["cardiomegaly"]} <= set(RULES)
