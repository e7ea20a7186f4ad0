"""From the long table and the protocol alone follows every number that an export tells."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from scipy import stats

from cfcore.reports.tables import more_tables, study_tables
from cfcore.reports.tidy import read_long
from cfcore.study.protocol import from_json
from services.report.bundle import data_files
from services.report.outside import outside_tables
from services.results import StudyResults, results
from services.workspace import open_workspace
from tests.services.full_design import whole_study
from tests.services.recount import Export, agreement, cases_of
from tests.services.recount_questions import KINDS, SINGLE
from tests.services.recount_tables import TABLES, expected_rows, recounted


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StudyResults, dict[str, bytes]]]:
    """Results of the whole study, and the files of its export that are numbers and words."""
    workspace = open_workspace(tmp_path_factory.mktemp("whole") / "workspace")
    with pytest.MonkeyPatch.context() as patch:
        found = results(workspace, whole_study(workspace, patch))
    yield found, data_files(found, outside_tables(workspace, found))
    workspace.engine.dispose()


def table_of(files: Mapping[str, bytes], name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(files[f"tables/{name}.csv"]), float_precision="round_trip", keep_default_na=False)


def mine(files: Mapping[str, bytes], found: StudyResults) -> list[str]:
    """Tables that are made from the readings alone; the chair's decisions and the scores against reference answers
    come from elsewhere."""
    names = {name[7:-4] for name in files if name.startswith("tables/") and name.endswith(".csv")}
    questions = {f"question-{key}" for key in (*(q.key for q in found.study.protocol.questions), SINGLE)}
    return sorted(names & (TABLES.keys() | questions))


def number(cell: Any) -> float:
    """A cell of a CSV as a number, nan where it is empty."""
    if cell == "":
        return float("nan")
    return float({"true": 1, "True": 1, "false": 0, "False": 0}.get(str(cell), cell))


def is_number(column: pd.Series) -> bool:
    try:
        column.map(number)
    except ValueError:
        return False
    return bool((column != "").any())


def test_every_number_is_recounted_from_the_long_table(exported: tuple[StudyResults, dict[str, bytes]]) -> None:
    found, files = exported
    export, compared = Export(files), 0
    names = mine(files, found)
    assert len(names) == len(TABLES) + len(found.study.protocol.questions) + 1, "a table is missing or new"
    assert set(KINDS) == {question.kind for question in found.study.protocol.questions}
    for name in names:
        table = table_of(files, name)
        assert len(table) == expected_rows(export).get(name, len(table)), name
        rows = table.to_dict("records")
        again = recounted(export, name, rows)
        bounds = {f"{column}_{end}" for column in table.columns for end in ("low", "high")} | {"low", "high"}
        for column in (column for column in table.columns if is_number(table[column])):
            counted = [i for i, row in enumerate(again) if column in row]
            # An interval without a closed form comes from resampling: see the other tests.
            assert len(counted) == len(rows) or column in bounds, f"{name}: {column} is not recounted"
            for i in counted:
                compared += 1
                value, expected = number(rows[i][column]), again[i][column]
                expected = float(expected) if isinstance(expected, bool) else expected
                assert value == pytest.approx(expected, abs=1e-9, rel=1e-9, nan_ok=True), (name, column, rows[i])
        for row, numbers in zip(rows, again, strict=True):
            lost = {column for column, value in numbers.items() if column not in row and not np.isnan(value)}
            assert not lost, f"{name} lacks {lost}"
    assert compared > 3000


def test_the_line_above_the_results_is_recounted(exported: tuple[StudyResults, dict[str, bytes]]) -> None:
    _, files = exported
    export, line = Export(files), json.loads(files["results.json"])["headline"]
    given = export.first[export.first["answer"] != ""]
    done = given.drop_duplicates(["reader", "pair"])
    known = export.first[export.first["assessed"]]
    pooled = agreement(
        [case for _, own in known.groupby("question") for case in cases_of(own, "appears")], (False, True)
    )
    assert line["readings_done"] == len(done)
    assert line["readings_planned"] == len(export.first.drop_duplicates(["reader", "pair"]))
    assert (line["readers"], line["pairs"], line["patients"]) == tuple(
        export.first[name].nunique() for name in ("reader", "pair", "patient")
    )
    assert line["median_seconds"] == pytest.approx(done["seconds"].median())
    assert line["cannot_share"] == pytest.approx((given["answer"] == "cannot").mean())
    assert line["ac1"]["value"] == pytest.approx(pooled["ac1"])
    assert line["raw_agreement"]["value"] == pytest.approx(pooled["raw_agreement"])


def test_intervals_by_resampling_are_those_of_a_plain_bootstrap(
    exported: tuple[StudyResults, dict[str, bytes]],
) -> None:
    """Patients drawn with replacement, percentiles a little widened (Hesterberg 2015): the same but for chance."""
    _, files = exported
    export = Export(files)
    rng, n_draws, looked_at = np.random.default_rng(0), 4000, 0
    for row in table_of(files, "findings").to_dict("records"):
        known = export.of(row, "finding", "arm")
        known = known[known["assessed"]]
        by_patient = known.groupby("patient")
        read = by_patient.size().to_numpy(dtype=float)
        n = len(read)
        weights = rng.multinomial(n, np.full(n, 1 / n), size=n_draws)
        change = known["in_counterfactual"].astype(float) - known["in_original"].astype(float)
        for name, values in (("share", known["appears"].astype(float)), ("difference", change)):
            if row[f"{name}_note"]:
                continue
            sums = values.groupby(known["patient"]).sum().reindex(by_patient.size().index).to_numpy()
            drawn = (weights @ sums) / (weights @ read)
            # Percentiles of n patients are too narrow by sqrt((n - 1) / n), and by z instead of t.
            tail = stats.norm.cdf(-np.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1))
            for end, expected in zip(("low", "high"), np.quantile(drawn, [tail, 1 - tail]), strict=True):
                assert float(row[f"{name}_{end}"]) == pytest.approx(expected, abs=0.04), (row["finding"], row["arm"])
                looked_at += 1
    assert looked_at >= 40


def test_every_cell_comes_back_from_the_long_table_with_its_seed(
    exported: tuple[StudyResults, dict[str, bytes]],
) -> None:
    """As docs/report.md says it: intervals by resampling included, to the last digit."""
    found, files = exported
    back = read_long(files["readings-long.csv"].decode())
    protocol = from_json(files["protocol.json"].decode())
    asked = dataclasses.replace(back.asked, plan=protocol.analysis, questions=protocol.questions)
    again = study_tables(back.decoded, back.rated, back.answers, asked, back.seed)
    tables = {
        "findings": again.findings, "per-reader": again.per_reader, "readers": again.readers, "ratings": again.ratings,
        "pairs-of-readers": again.pairs_of_readers, "confirmatory": again.confirmatory,
        "comparisons": again.comparisons, "repeats-and-false-alarms": again.checks, "controls": again.controls,
        "blinding": again.blinding, **more_tables(back.decoded, asked, back.seed),
        **{f"question-{key}": table for key, table in again.questions.items()},
    }  # fmt: skip
    assert sorted(tables) == mine(files, found)
    assert again.headline == found.headline
    told = json.loads(files["results.json"])["tables"]
    book = openpyxl.load_workbook(io.BytesIO(files["tables.xlsx"]), read_only=True)
    for name, table in tables.items():
        stored = table_of(files, name)
        assert list(stored.columns) == list(table.columns) == list(told[name][0])
        agree(f"{name}.csv", stored.to_numpy().tolist(), table)
        agree(f"{name} in results.json", [list(row.values()) for row in told[name]], table)
        sheet = list(book[name[:31].strip()].iter_rows(min_row=2, values_only=True))
        agree(f"{name} in tables.xlsx", sheet, table)


def agree(where: str, stored: Sequence[Sequence[Any]], table: pd.DataFrame) -> None:
    """Cells of a file say what the table says: numbers as numbers, words as words, nothing as nothing."""
    assert len(stored) == len(table), where
    for theirs, row in zip(stored, table.astype(object).to_numpy().tolist(), strict=True):
        for column, a, b in zip(table.columns, theirs, row, strict=False):
            if b is None or b is pd.NA or b != b or b == "":
                assert a in (None, ""), (where, column, a)
            elif isinstance(b, str):
                assert a in (b, f"'{b}"), (where, column, a, b)
            else:
                assert number(a) == pytest.approx(float(b), rel=1e-12, abs=1e-12), (where, column)
