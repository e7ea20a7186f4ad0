"""What is known around the readings and enters no number of the report: screens, how cases were looked at, lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import sqlalchemy as sa

from cfcore.reports.tidy import to_csv
from cfcore.study.measuring import LINES, length
from db.models import Reading, StudyReader, Trial
from services.results import StudyResults
from services.sittings import SEEN, SIZES, screens
from services.viewing_log import viewing_log
from services.workspace import Workspace

SCREEN_COLUMNS = ("reader", "session", *SEEN, "passed", *SIZES, "ratio", "browser")
CASE_COLUMNS = ("reader", "position", "purpose", "pair")
LOG_COLUMNS = (*CASE_COLUMNS, "visit", "number", "seconds", "event", "value")
_ENDS = ("x1", "y1", "x2", "y2")
LINE_COLUMNS = (*CASE_COLUMNS, "image", *(f"{line}_{part}" for line in LINES for part in (*_ENDS, "px")), "ratio")


def sitting_files(workspace: Workspace, found: StudyResults) -> dict[str, bytes]:
    """CSV files by name, those that have a row; readers and pairs under the study's own numbers, without times of day.

    sittings/screen-checks.csv: one look at the test pattern a row, what was seen as it should be, and the screen in CSS
    pixels. sittings/viewing-log.csv: one thing done with the images a row, `seconds` since the case came up, `value` as
    JSON. sittings/measurements.csv: the lines of one image a row, in its pixels, from the last reading of the case; the
    ratio is heart over chest. `position` and `purpose` are those of the long table; practice cases have no pair number.
    Of an open study there are none: a look shows the readings that were there when it was taken, and nothing else.
    """
    if found.interim:
        return {}
    cases = _cases(workspace, found)
    tables = {"screen-checks": _screens(workspace, found), "viewing-log": _looked(workspace, found, cases),
              "measurements": _lines(workspace, found, cases)}  # fmt: skip
    return {f"sittings/{name}.csv": to_csv(table).encode() for name, table in tables.items() if len(table)}


def _screens(workspace: Workspace, found: StudyResults) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for one in screens(workspace, found.study.id):
        session = 1 + sum(row["reader"] == one.reader for row in rows)
        rows.append({"reader": one.reader, "session": session, "passed": one.passed, **one.seen, **one.screen})
    return pd.DataFrame(rows, columns=list(SCREEN_COLUMNS))


Cases = Mapping[tuple[str, int], Mapping[str, Any]]


def _cases(workspace: Workspace, found: StudyResults) -> Cases:
    """(reader, position) -> what that case was: `CASE_COLUMNS`."""
    labels = {case.pair.id: case.label for case in found.cases}
    with workspace.session() as session:
        trials = session.execute(
            sa.select(StudyReader.label, Trial.position, Trial.purpose, Trial.pair_id)
            .join(Trial, Trial.study_reader_id == StudyReader.id)
            .where(StudyReader.study_id == found.study.id)
        )
        return {
            (reader, position): dict(
                zip(
                    CASE_COLUMNS,
                    (reader, position, "reading" if purpose == "counted" else purpose, labels.get(pair)),
                    strict=True,
                )
            )
            for reader, position, purpose, pair in trials
        }


def _looked(workspace: Workspace, found: StudyResults, cases: Cases) -> pd.DataFrame:
    rows, visits = [], dict[tuple[str, int], list[str]]()
    for one in viewing_log(workspace, found.study.id):
        seen = visits.setdefault((one.reader, one.position), [])
        if one.visit not in seen:
            seen.append(one.visit)
        rows.append(
            {
                **cases[one.reader, one.position],
                "visit": 1 + seen.index(one.visit),
                "number": one.number,
                "seconds": one.seconds,
                "event": one.kind,
                "value": json.dumps(one.value, sort_keys=True),
            }
        )
    return pd.DataFrame(rows, columns=list(LOG_COLUMNS))


def _lines(workspace: Workspace, found: StudyResults, cases: Cases) -> pd.DataFrame:
    with workspace.session() as session:
        readings = session.execute(
            sa.select(StudyReader.label, Trial.position, Trial.original_side, Reading.measures)
            .join(Trial, Trial.study_reader_id == StudyReader.id)
            .join(Reading, Reading.trial_id == Trial.id)
            .where(StudyReader.study_id == found.study.id)
            .order_by(StudyReader.id, Trial.position, Reading.sequence)
        ).all()
    last = {(reader, position): (side, measures) for reader, position, side, measures in readings}
    rows = []
    for case, (original, measures) in last.items():
        for side, lines in sorted(measures.items(), key=lambda item: item[0] != original):
            row = {**cases[case], "image": "original" if side == original else "counterfactual"}
            for name in LINES:
                if name in lines:
                    row |= {f"{name}_{end}": value for end, value in zip(_ENDS, lines[name], strict=True)}
                    row[f"{name}_px"] = round(length(lines[name]), 1)
            rows.append(row | {"ratio": lines.get("ratio")})
    return pd.DataFrame(rows, columns=list(LINE_COLUMNS))
