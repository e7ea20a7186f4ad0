"""What the export says of screens, of how cases were looked at, and of measured lines."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pytest

from services import accounts, reading
from services.report.facts import study_facts
from services.report.looks import take_look
from services.report.sittings import sitting_files
from services.results import results, shown_results
from services.studies import close_study
from services.workspace import Workspace
from tests.browser.studies import FINDINGS, PASSWORD, add_reader, make_study, noise_pairs

SCREEN = {"browser": "=Chromium", "ratio": 1.5, "width": 1920, "height": 1080, "inner_width": 1600,
          "inner_height": 900, "colour_bits": 24}  # fmt: skip
LINES = {"heart": [10.0, 20.0, 40.0, 20.0], "chest": [5.0, 20.0, 65.0, 20.0]}


@pytest.fixture
def study(workspace: Workspace) -> int:
    """Two pairs, the first one read: looked at twice, measured in A and in B, the heart alone in B."""
    study_id = make_study(workspace, noise_pairs(2))
    account = add_reader(workspace, study_id)
    one = accounts.account_for_token(workspace, accounts.sign_in(workspace, "reader.one", PASSWORD))
    assert one is not None
    series = reading.reading_list(workspace, account)[0].series
    for seen in (False, True):
        marks = {"dark": seen, "bright": True, "ramp": True, "lines": True}
        reading.save_screen_check(workspace, account, one.session_id, series, marks, SCREEN)
    token = reading.progress(workspace, account, series)["cases"][0]["token"]
    event: dict[str, Any] = {"number": 1, "kind": "zoom", "value": {"scale": 1.5, "x": -3, "y": 0}, "seconds": 2.5}
    for visit in ("f" * 16, "0" * 16):
        reading.log_viewing(workspace, account, token, visit, [event])
    findings = {finding.key: "neither" for finding in FINDINGS}
    answers: dict[str, Any] = {"findings": findings, "ratings": {"realism": 3, "identity": 3}, "comment": ""}
    measures = {"A": LINES, "B": {"heart": LINES["heart"]}}
    reading.save_reading(workspace, account, token, 1, answers, 3.0, measures={"A": LINES})
    reading.save_reading(workspace, account, token, 2, answers, 5.0, measures=measures)
    return study_id


def read(files: dict[str, bytes], name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(files[f"sittings/{name}.csv"]))


def test_screens_looks_and_lines_leave_with_a_closed_study(workspace: Workspace, study: int) -> None:
    close_study(workspace, study, actor="ada")
    found = results(workspace, study)
    files = sitting_files(workspace, found)
    assert "Before 2 sessions a reader looked at a test pattern" in study_facts(workspace, found).screens
    assert study_facts(workspace, found).screens.endswith("saw all of it in 1.")
    screens = read(files, "screen-checks")
    assert screens[["reader", "session", "dark", "passed"]].values.tolist() == [
        ["R1", 1, False, False],
        ["R1", 2, True, True],
    ]
    assert screens.loc[0, ["width", "ratio", "browser"]].tolist() == [1920, 1.5, "'=Chromium"]
    looked = read(files, "viewing-log")
    case, own = next((case, one) for case in found.cases for one in case.readings if one.position == 0)
    assert looked[["position", "purpose", "pair", "visit", "event", "seconds"]].values.tolist() == [
        [0, "reading", case.label, visit, "zoom", 2.5] for visit in (1, 2)
    ]
    assert looked["value"][0] == '{"scale": 1.5, "x": -3, "y": 0}'
    lines = read(files, "measurements").set_index("image")
    assert own.read and set(lines.index) == {"original", "counterfactual"}
    whole = lines[lines["ratio"].notna()]
    assert whole[["heart_px", "chest_px", "ratio", "chest_x2"]].values.tolist() == [[30.0, 60.0, 0.5, 65.0]]
    side = found.decoded[found.decoded["position"] == 0]["original_side"].iloc[0]
    assert whole.index[0] == ("original" if side == "A" else "counterfactual")


def test_an_open_study_and_one_that_nobody_measured_have_none(workspace: Workspace, study: int) -> None:
    take_look(workspace, study, actor="ada", reason="the test wants to see")
    assert sitting_files(workspace, shown_results(workspace, study)) == {}
    empty = make_study(workspace, noise_pairs(2), seed=1)
    close_study(workspace, empty, actor="ada")
    assert sitting_files(workspace, results(workspace, empty)) == {}
