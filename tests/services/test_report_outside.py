"""A report carries the chair's decisions and the readers' scores beside the raw answers."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from cfcore.reports.html import report_figures, study_report
from cfcore.reports.tidy import read_long, to_csv
from cfcore.study.adjudicated import ADJUDICATED, differing_readers, raw_and_adjudicated, settled
from cfcore.study.findings import findings_table
from cfcore.study.questions import ForcedChoice, to_data
from db.models import DisputedCase, Study, Trial
from services import adjudication, reading
from services.accounts import ensure_account
from services.adjudication import to_side
from services.reference_answers import reference_rows, set_reference
from services.report import pdf
from services.report.bundle import data_files, long_csv
from services.report.content import report_content
from services.report.outside import outside_tables
from services.results import StudyResults, results
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs

REAL = ForcedChoice(key="real", text="Which one is the real image?", right="original")
# Reader -> what he or she saw of "line" in the third pair, in originals and counterfactuals, and chose as real there.
SAID = ("neither", "both", "both")


def read(workspace: Workspace, account: int, line: str, real: str) -> None:
    """Every case: "line" as given in the third pair, else nothing; the real image as given in every pair."""
    series = reading.reading_list(workspace, account)[0].series
    with workspace.session() as session:
        rows = {row.token: (row.pair_id, row.original_side) for row in session.scalars(sa.select(Trial))}
    for case in reading.progress(workspace, account, series)["cases"]:
        pair, side = rows[case["token"]]
        findings = dict.fromkeys(("line", "shadow", "rib"), "neither") | {"line": line if pair == 3 else "neither"}
        answers = {
            "findings": {key: to_side(place, side) for key, place in findings.items()},
            "ratings": {"realism": 3, "identity": 4}, "comment": "", "questions": {"real": to_side(real, side)},
        }  # fmt: skip
        reading.save_reading(workspace, account, case["token"], 1, answers, 3.0)


@pytest.fixture
def study(workspace: Workspace) -> int:
    """Three readers who differ on one finding of the third pair; closed."""
    study = make_study(workspace, noise_pairs(4), ("v17 +",))
    with workspace.session() as session:
        row = session.get_one(Study, study)
        row.protocol = {**row.protocol, "questions": [to_data(REAL)]}
    for i, line in enumerate(SAID):
        reader = add_reader(workspace, study, f"r{i}", f"Dr. {i}")
        read(workspace, reader, line, "counterfactual" if i else "original")
    with workspace.session() as session:
        session.get_one(Study, study).state = "closed"
    return study


def decide(workspace: Workspace, study: int) -> None:
    """The chair sees the line in the counterfactual only."""
    boss = ensure_account(workspace, "boss", "Boss", "researcher", PASSWORD)
    adjudication.chair_cases(workspace, boss, study)
    with workspace.session() as session:
        case = session.scalars(sa.select(DisputedCase)).one()
    answers = {"findings": {"line": to_side("counterfactual", case.original_side)}, "comment": "A <b>shadow</b>."}
    adjudication.decide(workspace, boss, study, case.token, 1, answers)


def hold_true(workspace: Workspace, study: int) -> None:
    """No line anywhere but in the first original."""
    rows = reference_rows(workspace, study, "test")
    answers: dict[tuple[int, str], bool | None] = {(row.image_id, "line"): row.patient == "P01" for row in rows}
    set_reference(workspace, study, answers, actor="test")


def page(workspace: Workspace, found: StudyResults) -> str:
    return study_report(report_content(workspace, found, pictures=False))


def text_of(html: str, section: str) -> str:
    part = html.split(f'<section id="{section}">')[1].split("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", part).split())


def test_without_a_decision_or_a_reference_there_is_no_such_section(workspace: Workspace, study: int) -> None:
    found = results(workspace, study)
    assert set(outside_tables(workspace, found)) == {"real-or-generated"}
    html = page(workspace, found)
    assert 'id="adjudication"' not in html and 'id="accuracy"' in html and "Each reader, all findings" not in html
    told = text_of(html, "accuracy")
    assert "R1 Which one is the real image? 4 of 4 100 %" in told
    assert "R2 Which one is the real image? 0 of 4 0 %" in told


def test_raw_and_adjudicated_results_stand_in_one_table(workspace: Workspace, study: int) -> None:
    decide(workspace, study)
    found = results(workspace, study)
    tables = outside_tables(workspace, found)
    row = tables["adjudicated"].iloc[0]
    assert (row.pair, row.finding, row.decided, row.reason) == ("C03", "line", "counterfactual", "A <b>shadow</b>.")
    assert (row.readers_both, row.readers_neither, row.readers_original) == (2, 1, 0)
    assert (row.said_both, row.said_neither) == ("R2, R3", "R1")
    line = tables["adjudicated-findings"].set_index("finding").loc["line"]
    assert (line.raw_share, line.adjudicated_share) == (0.0, 0.25)
    html = page(workspace, found)
    told = text_of(html, "adjudication")
    assert "Readers differed on 1 of 12 questions" in told and "decided 1 of them in 1 case" in told
    assert "stayed undecided" not in told
    assert re.search(r"Line or tube v17 \+ 4 1 1 0 % a 0 to \d+ 25 % \d+ to \d+", told), (
        "pairs, disputed, decided, raw share, adjudicated"
    )
    # The chair followed nobody here; R1 stood alone against the two others.
    assert "R1 1 of 1 1 of 1 1 R2 1 of 1 1 of 1 0 R3 1 of 1 1 of 1 0" in told
    assert "both: R2, R3; neither: R1 counterfactual only" in told
    assert "A &lt;b&gt;shadow&lt;/b&gt;." in html and "<b>shadow</b>" not in html
    assert 'href="#adjudication"' in html


def test_scores_against_the_reference_stand_in_the_report(workspace: Workspace, study: int) -> None:
    hold_true(workspace, study)
    decide(workspace, study)
    found = results(workspace, study)
    tables = outside_tables(workspace, found)
    scores = tables["scores-by-reader"].set_index("reader")
    assert scores.specificity.to_dict() == {"R1": 1.0, "R2": 2 / 3, "R3": 2 / 3, ADJUDICATED: 1.0}
    assert scores.sensitivity[ADJUDICATED] == 0.0 and scores.positive[ADJUDICATED] == 1
    assert set(tables["scores-by-finding"].finding) == {"line"}, "the other findings have no reference"
    assert set(tables) == {
        "adjudicated", "adjudicated-findings", "adjudicated-readers", "reference-answers", "scores-by-reader",
        "scores-by-finding", "reader-scores", "real-or-generated",
    }  # fmt: skip
    html = page(workspace, found)
    told = text_of(html, "accuracy")
    assert "4 reference answers on 4 originals, 1 with the finding." in told
    for head in ("Sensitivity", "Specificity", "Area under the curve", "d′"):
        assert head in told
    assert re.search(r"R1 4 1 3 0 0 %", told) and re.search(r"adjudicated 4 1 3 0 0 %", told)
    keys = [figure.key for figure in report_figures(report_content(workspace, found, pictures=False))]
    assert "sensitivity-specificity" in keys and 'figure class="chart" id="sensitivity-specificity"' in html
    ids = re.findall(r'<(?:section|figure)[^>]* id="([^"]+)"', html)
    assert len(ids) == len(set(ids)), "a link of the bar leads to one place"
    assert pdf.to_pdf(html).startswith(b"%PDF-")


def test_sections_follow_from_the_files_of_the_export(workspace: Workspace, study: int) -> None:
    hold_true(workspace, study)
    decide(workspace, study)
    found = results(workspace, study)
    tables = outside_tables(workspace, found)
    assert {"tables/adjudicated.csv", "tables/scores-by-reader.csv"} <= data_files(found, tables).keys()
    back = read_long(long_csv(found))
    decisions = tables["adjudicated"]
    assert to_csv(decisions).count("\n") == 2
    cases = settled(back.decoded, decisions)
    raw = findings_table(back.decoded, back.asked.findings, back.asked.arms, np.random.default_rng([back.seed, 1]))
    rng = np.random.default_rng([back.seed, *b"adjudicated"])
    again = raw_and_adjudicated(raw, cases, back.asked.findings, back.asked.arms, rng)
    pd.testing.assert_frame_equal(again, tables["adjudicated-findings"], check_dtype=False)
    pd.testing.assert_frame_equal(differing_readers(back.decoded, decisions), tables["adjudicated-readers"])


def test_an_open_study_shows_none_of_it(workspace: Workspace, study: int) -> None:
    found = results(workspace, study)
    with workspace.session() as session:
        session.get_one(Study, study).state = "locked"
    opened = replace(found, study=replace(found.study, state="locked"))
    assert outside_tables(workspace, opened) == {}
