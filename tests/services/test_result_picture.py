"""The findings table as the notebook's picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from cfcore.reports.font import sans
from services import pairs as pairs_service
from services.pairs import make_pairs
from services.result_picture import CELL, LABEL, ROW, SCALE, findings_png
from services.results import results
from services.studies import close_study, create_study, lock_study
from services.workspace import Workspace
from tests.services.test_results import add_readers, read_all
from tests.services.toy_study import finished_run, toy_engine


def test_a_tick_stands_where_the_majority_saw_a_finding_and_nowhere_else(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study = create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=2)
    make_pairs(workspace, study, actor="ada")
    lock_study(workspace, study, actor="ada")
    add_readers(workspace, study, 2)
    read_all(workspace, study, lambda _reader, _arm, finding: "appears" if finding == "ctr" else "neither")
    close_study(workspace, study, actor="ada")
    found = results(workspace, study)
    picture = np.asarray(Pillow.open(io.BytesIO(findings_png(found))))
    majority = {(row["finding"], row["arm"]): row["majority"] for row in found.findings.to_dict("records")}
    assert set(majority.values()) == {True, False}
    for j, finding in enumerate(found.study.protocol.findings):
        for i, arm in enumerate(found.study.protocol.arms):
            x, y = (LABEL + i * CELL + CELL // 2 - 40) * SCALE, (40 + j * ROW + 18) * SCALE
            place = picture[y - 14 : y + 14, x - 14 : x + 14]
            assert (np.ptp(place) > 60) == majority[finding.key, arm.key], (finding.key, arm.key)


def test_names_in_any_language_are_drawn_and_not_as_boxes() -> None:
    font = sans(26)
    box = bytes(font.getmask("\uffff"))
    for character in "−–äßéłЖΩ":
        assert bytes(font.getmask(character)) != box, character
