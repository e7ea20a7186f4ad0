"""From the long table and the protocol alone follows every number that an export tells."""

from __future__ import annotations

import dataclasses
import html
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from scipy import stats

from cfcore.reports.content import ReportContent
from cfcore.reports.html import study_report
from cfcore.reports.tables import more_tables, study_tables
from cfcore.reports.tidy import read_long
from cfcore.study.design.choices import CONTROL_NAMES
from cfcore.study.protocol import from_json
from db.models import now
from services.report.bundle import data_files
from services.report.content import report_content
from services.report.manifest import manifest
from services.report.outside import outside_tables
from services.results import StudyResults, results
from services.workspace import open_workspace
from tests.services.full_design import whole_study
from tests.services.recount import Export, agreement, cases_of
from tests.services.recount_questions import KINDS
from tests.services.recount_tables import TABLES, check_every_number, number, own_tables, table_of


@dataclass(frozen=True)
class Exported:
    """The whole study: its results, what its report is made of, its manifest, and its tables as files."""

    found: StudyResults
    content: ReportContent
    manifest: str
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    workspace = open_workspace(tmp_path_factory.mktemp("whole") / "workspace")
    with pytest.MonkeyPatch.context() as patch:
        found = results(workspace, whole_study(workspace, patch))
    files = data_files(found, outside_tables(workspace, found))
    yield Exported(found, report_content(workspace, found), manifest(workspace, found, files, now()), files)
    workspace.engine.dispose()


def test_every_number_is_recounted_from_the_long_table(exported: Exported) -> None:
    found, files = exported.found, exported.files
    names = own_tables(files)
    assert len(names) == len(TABLES) + len(found.study.protocol.questions) + 1, "a table is missing or new"
    assert set(KINDS) == {question.kind for question in found.study.protocol.questions}
    assert check_every_number(files) > 3000


def test_a_case_counts_first_readings_and_names_its_control(exported: Exported) -> None:
    export = Export(exported.files)
    page = html.unescape(study_report(exported.content))
    told = dict(
        re.findall(r'<span class="id">(C\d+)</span><span class="arm">.*?</span><span>(.*?)</span></summary>', page)
    )
    assert set(told) == {case.label for case in exported.content.cases}
    first = export.ticked[(export.ticked["purpose"] != "repeat") & export.ticked["assessed"]]
    labels = {finding.key: finding.label for finding in exported.found.study.protocol.findings}
    for case, words in told.items():
        for key, label in labels.items():
            own = first[(first["pair"] == case) & (first["question"] == key)]["appears"]
            assert (f"{label} ({own.sum()} of {len(own)})" in words) == bool(own.sum()), (case, key, words)
    controls = [case for case in exported.content.cases if not case.facts]
    assert {case.arm for case in controls} == set(CONTROL_NAMES.values()) and len(controls) == 12
    captions = {tuple(picture.caption for picture in case.pictures) for case in controls}
    assert ("Original (preview)", "Filtered (preview)") in captions and len(captions) == 4
    assert not any("Counterfactual" in " ".join(names) for names in captions)


def test_every_run_behind_an_arm_is_named(exported: Exported) -> None:
    other = exported.found.study.protocol.arms[2].run
    assert other != exported.found.study.run_id
    told = dict(exported.content.versions)
    assert told["run"].startswith("Toy run") and told[f"run {other}"] == "Second run, brighten, seed 0"
    written = json.loads(exported.manifest)
    assert written["run"]["name"] == "Toy run" and [run["name"] for run in written["further_runs"]] == ["Second run"]
    assert written["further_runs"][0]["inputs"] == {"weights": "def"}
    facts = exported.content.facts
    assert facts is not None and facts.reference == "", "right answers of practice are no reference"


def test_the_line_above_the_results_is_recounted(exported: Exported) -> None:
    files = exported.files
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
    exported: Exported,
) -> None:
    """Patients drawn with replacement, percentiles a little widened (Hesterberg 2015): the same but for chance."""
    files = exported.files
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
    exported: Exported,
) -> None:
    """As docs/report.md says it: intervals by resampling included, to the last digit."""
    found, files = exported.found, exported.files
    back = read_long(files["readings-long.csv"].decode())
    protocol = from_json(files["protocol.json"].decode())
    asked = dataclasses.replace(back.asked, plan=protocol.analysis, questions=protocol.questions)
    again = study_tables(back.decoded, back.rated, back.answers, asked, back.seed)
    tables = {
        "findings": again.findings, "per-reader": again.per_reader, "readers": again.readers, "ratings": again.ratings,
        "pairs-of-readers": again.pairs_of_readers, "confirmatory": again.confirmatory,
        "comparisons": again.comparisons, "repeats-and-false-alarms": again.checks, "controls": again.controls,
        "blinding": again.blinding, "repeated-ratings": again.repeated_ratings, "bradley-terry": again.strengths,
        **more_tables(back.decoded, asked, back.seed),
        **{f"question-{key}": table for key, table in again.questions.items()},
    }  # fmt: skip
    assert sorted(tables) == own_tables(files)
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
