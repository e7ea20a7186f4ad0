"""Single images from the schedule through the reader's browser to the results."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from cfcore.reports.others import SINGLE
from cfcore.study.questions import Choice, ForcedChoice, to_data
from cfcore.study.simulated import SimulatedReader
from db.models import Study, Trial
from services import reading
from services.pair_pixels import raw_pixels
from services.reading import ReadingRefused
from services.rehearsal_readers import Assumed, rehearse
from services.results import results
from services.workspace import Workspace
from tests.browser.studies import add_reader, make_study, noise_pairs

SORT = Choice(
    key="sort", text="?", options=("real", "generated"), right_for_original="real", right_for_counterfactual="generated"
)  # fmt: skip


@pytest.fixture
def study(workspace: Workspace) -> int:
    """Eight pairs, of each of which one image is read alone first."""
    study_id = make_study(workspace, noise_pairs(8))
    with workspace.session() as session:
        found = session.get_one(Study, study_id)
        asked = [to_data(SORT), to_data(ForcedChoice(key="which", text="Which is real?"))]
        found.protocol = {**found.protocol, "single_share": 1.0, "questions": asked}
    return study_id


def test_a_reader_sees_one_image_and_is_asked_what_fits_it(workspace: Workspace, study: int) -> None:
    account = add_reader(workspace, study)
    series = reading.reading_list(workspace, account)[0].series
    cases = reading.progress(workspace, account, series)["cases"]
    assert len(cases) == 16
    token = cases[0]["token"]
    told = reading.case(workspace, account, 1, token)
    assert list(told["pixels"]["urls"]) == ["A"] and told["questions"]["occasion"] == "single"
    assert told["questions"]["states"] == ["present", "absent", "cannot"] and told["questions"]["ratings"] == []
    assert [q["key"] for q in told["questions"]["questions"]] == ["sort"]
    assert "original" not in json.dumps(told) and "right" not in json.dumps(told)
    name = told["pixels"]["urls"]["A"].split("/")[-2]
    shown = reading.pixels(workspace, account, 1, name, "A")
    with pytest.raises(ReadingRefused):
        reading.pixels(workspace, account, 1, name, "B")
    with workspace.session() as session:
        trial = session.scalars(sa.select(Trial).where(Trial.token == token)).one()
        key = trial.pair.original_key if trial.original_side == "A" else trial.pair.counterfactual_key
        size = (trial.pair.width, trial.pair.height, trial.pair.max_value)
    assert shown == raw_pixels(workspace, key, *size)

    with pytest.raises(ReadingRefused, match="present, absent, cannot"):
        reading.save_reading(workspace, account, token, 1, {"findings": {"line": "A"}}, 1.0)
    findings = {"line": "present", "shadow": "absent", "rib": "cannot"}
    saved = reading.save_reading(
        workspace, account, token, 1, {"findings": findings, "questions": {"sort": "real"}}, 1.0
    )
    assert saved.complete


def test_what_simulated_readers_saw_in_single_images_is_a_table_of_its_own(workspace: Workspace, study: int) -> None:
    with workspace.session() as session:
        session.get_one(Study, study).state = "draft"
    sure = SimulatedReader("", 1.0, 1.0, choice=1.0)
    copy = rehearse(
        workspace, study, [sure, sure], Assumed(prevalence=0.5, appears={"v17 +": 1.0}), seed=2, actor="test"
    )
    found = results(workspace, copy)
    table = found.tables.questions[SINGLE]
    assert set(table["arm"]) == {"v17 +", "v3 -"} and (table["originals"] + table["counterfactuals"] == 8).all()
    # A perfect reader sees in a counterfactual of the first arm whatever appears there: everything.
    moved = table[table["arm"] == "v17 +"]
    assert (moved["prevalence_counterfactual"] == 1).all() and (moved["prevalence_original"] < 1).any()
    sort = found.tables.questions["sort"]
    assert (sort["right"] == 1).all()
    # Pairs are counted as pairs only.
    assert found.headline.readings_done == 16
