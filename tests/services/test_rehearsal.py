"""The rehearsal shows a researcher what readers will see, and keeps nothing."""

from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa

from cfcore.images.encode import decode_png
from db.models import Event, Pair, Reading, Study, StudyReader
from services import reading
from services.reading import ReadingRefused
from services.rehearsal import rehearsal, rehearsal_case, rehearsal_pixels
from services.workspace import Workspace
from tests.browser.studies import add_reader, make_study, noise_pairs


def test_a_rehearsed_case_has_the_shape_of_a_real_one(workspace: Workspace) -> None:
    study = make_study(workspace, noise_pairs(4))
    plan = rehearsal(workspace, study)
    assert [case["token"] for case in plan["cases"]] == ["0", "1", "2", "3"] and plan["at"] == 0
    account = add_reader(workspace, study)
    series = reading.reading_list(workspace, account)[0].series
    real_plan = reading.progress(workspace, account, series)
    real = reading.case(workspace, account, 1, real_plan["cases"][0]["token"])
    case = rehearsal_case(workspace, study, 0)
    assert plan.keys() == real_plan.keys() and case.keys() == real.keys()
    assert case["pixels"].keys() == real["pixels"].keys()
    assert case["questions"] == real["questions"]


def test_every_pair_is_shown_once_with_its_exact_pixels(workspace: Workspace) -> None:
    study = make_study(workspace, noise_pairs(5, white=4095), white=4095)
    with workspace.session() as session:
        session.execute(sa.update(Study).values(state="draft"))
        stored = {
            frozenset(
                decode_png(workspace.get(key)).astype("<u2").tobytes()
                for key in (pair.original_key, pair.counterfactual_key)
            )
            for pair in session.scalars(sa.select(Pair))
        }
    shown = {frozenset(rehearsal_pixels(workspace, study, i, side) for side in "AB") for i in range(5)}
    assert shown == stored
    assert len(np.frombuffer(next(iter(next(iter(shown)))), "<u2")) == 96 * 80


def test_nothing_is_written(workspace: Workspace) -> None:
    study = make_study(workspace, noise_pairs(2))
    rehearsal(workspace, study)
    rehearsal_case(workspace, study, 1)
    rehearsal_pixels(workspace, study, 1, "A")
    with workspace.session() as session:
        for table in (Reading, StudyReader, Event):
            assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_unknown_studies_and_cases_are_refused(workspace: Workspace) -> None:
    study = make_study(workspace, noise_pairs(2))
    empty = make_study(workspace, [])
    for call, named in (
        (lambda: rehearsal(workspace, 99), "no such study"),
        (lambda: rehearsal(workspace, empty), "no pairs"),
        (lambda: rehearsal_case(workspace, study, 2), "no case 3"),
        (lambda: rehearsal_pixels(workspace, study, -1, "A"), "no case 0"),
    ):
        with pytest.raises(ReadingRefused, match=named):
            call()
