"""The long table alone gives back every number and every word of the report."""

from __future__ import annotations

import dataclasses
import io

import pandas as pd
import pytest

from cfcore.reports.codebook import codebook_long
from cfcore.reports.content import ReportContent
from cfcore.reports.facts import LookFacts, ReaderFacts, StudyFacts
from cfcore.reports.html import study_report
from cfcore.reports.tables import StudyTables, findings_by, more_tables, study_tables
from cfcore.reports.tidy import LONG_COLUMNS, long_table, read_long, to_csv
from tests.cfcore.reports.whole_study import ASKED, WHOLE, whole_study


@pytest.fixture(scope="module")
def text() -> str:
    decoded, rated, answers = whole_study()
    return to_csv(long_table(decoded, rated, answers, WHOLE, WHOLE.seed))


@pytest.fixture(scope="module")
def tables() -> StudyTables:
    return study_tables(*whole_study(), ASKED, WHOLE.seed)


def report(tables: StudyTables, decoded: pd.DataFrame) -> str:
    readers = [ReaderFacts("R1", False, "Radiology", 7), ReaderFacts("R3", True)]
    looks = [LookFacts(None, "1 Nov", 0.4, "was curious")]
    facts = StudyFacts("ab" * 32, readers=readers, flow=[("patients in split test", 40)], plan=(0.5,), looks=looks)
    return study_report(
        ReportContent(
            WHOLE, "ab" * 32, "Closed", "today", tables.headline, tables.findings, tables.per_reader, tables.readers,
            tables.ratings, tables.pairs_of_readers, tables=tables, facts=facts, decoded=decoded,
        )
    )  # fmt: skip


def test_every_number_of_the_report_follows_from_the_long_table_alone(text: str, tables: StudyTables) -> None:
    """The plan of analysis is part of the protocol, which is exported beside the table."""
    back = read_long(text)
    asked = dataclasses.replace(back.asked, plan=WHOLE.analysis, questions=WHOLE.questions)
    assert asked == dataclasses.replace(ASKED)
    again = study_tables(back.decoded, back.rated, back.answers, asked, back.seed)
    for field in dataclasses.fields(StudyTables):
        mine, theirs = getattr(tables, field.name), getattr(again, field.name)
        if isinstance(mine, pd.DataFrame):
            pd.testing.assert_frame_equal(mine, theirs)
        elif isinstance(mine, dict):
            assert mine.keys() == theirs.keys()
            for key in mine:
                pd.testing.assert_frame_equal(mine[key], theirs[key])
        else:
            assert mine == theirs
    decoded = whole_study()[0]
    for name, table in more_tables(decoded, ASKED, WHOLE.seed).items():
        pd.testing.assert_frame_equal(table, more_tables(back.decoded, ASKED, back.seed)[name])
    assert report(tables, decoded) == report(again, back.decoded)


def test_the_whole_study_holds_something_of_everything(tables: StudyTables) -> None:
    assert list(tables.confirmatory["finding"]) == ["ctr", "ctr", "realism"] and tables.confirmatory["primary"].iloc[0]
    assert len(tables.comparisons) == 5 and set(tables.controls["pair_kind"]) == {"identical", "patients"}
    assert tables.blinding[["right", "wrong", "unsure"]].to_numpy().sum() == 3
    assert list(tables.questions) == ["sure"]
    checks = tables.checks.set_index("reader")
    assert checks.loc["R1", "repeats"] == 2 and checks.loc["R1", "controls"] == 2
    assert checks.loc["R1", "false_alarms"] == 0.5, "one of two identical pairs"
    assert checks.loc["R1", "intra_reader"] == 1.0


def test_the_report_tells_of_tests_controls_and_the_look(tables: StudyTables) -> None:
    said = report(tables, whole_study()[0])
    for words in ("Hypotheses locked with the protocol", "False alarms", "Bang’s blinding index", "was curious",
                  "exploratory", "Two different patients", "R1 Radiology, 7 years", "GRRAS", "CLAIM 2024"):  # fmt: skip
        assert words in said, words


def test_a_plain_reader_of_csv_sees_the_same_answers(text: str) -> None:
    table = pd.read_csv(io.StringIO(text))
    assert list(table.columns) == list(LONG_COLUMNS)
    decoded = whole_study()[0]
    first = table[(table["kind"] == "finding") & (table["purpose"] == "reading") & (table["status"] == "assessed")]
    mine = decoded[(decoded["purpose"] == "reading") & (decoded["status"] == "assessed")]
    theirs = first.assign(appears=first["appears"].astype(str).str.casefold() == "true")
    keys = ["question", "arm"]
    shares = theirs.groupby(keys)["appears"].mean()
    expected = mine.rename(columns={"finding": "question"}).groupby(keys)["appears"].mean()
    assert shares.to_dict() == pytest.approx(expected.astype(float).to_dict())


def test_a_comment_comes_back_as_it_was_and_no_cell_is_a_formula(text: str) -> None:
    table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    assert not any(value.startswith(("=", "@")) for name in table.columns for value in table[name])
    said = read_long(text).answers
    assert "=HYPERLINK(1), “שלום” 🙂\n'-quoted" in set(said["answer"])


@pytest.mark.parametrize(
    "said", ["=1", "'=1", "''-x", "+49", "'s", "a\r\nb\tc", "nul\0", "\u202ertl", " NA", "nan", "\ufeff", "é😀" * 5000]
)
def test_any_text_comes_back_letter_by_letter(said: str) -> None:
    decoded, rated, answers = whole_study()
    answers.loc[answers["kind"] == "comment", "answer"] = said
    back = read_long(to_csv(long_table(decoded, rated, answers, WHOLE, WHOLE.seed))).answers
    assert set(back.loc[back["kind"] == "comment", "answer"]) == {said}
    assert len(back) == len(answers)


def test_a_lone_carriage_return_does_not_end_a_row() -> None:
    decoded, rated, answers = whole_study()
    answers.loc[answers["kind"] == "comment", "answer"] = "old\rMac\r"
    back = read_long(to_csv(long_table(decoded, rated, answers, WHOLE, WHOLE.seed))).answers
    assert set(back.loc[back["kind"] == "comment", "answer"]) == {"old\nMac\n"} and len(back) == len(answers)


def test_a_table_without_a_column_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="lacks the columns seed"):
        read_long(text.replace("seed,reader", "sed,reader", 1))


def test_the_codebook_has_every_column(text: str) -> None:
    book = pd.read_csv(io.StringIO(codebook_long(WHOLE)))
    assert list(book["column"][: len(LONG_COLUMNS)]) == list(LONG_COLUMNS)
    assert {"question = ctr", "question = realism", "question = sure", "arm = v17+"} <= set(book["column"])


def test_findings_by_another_column_count_every_reading_once() -> None:
    import numpy as np

    decoded = whole_study()[0]
    table, groups = findings_by(decoded, WHOLE.findings, "flipped", np.random.default_rng(0))
    assert [group.key for group in groups] == ["False", "True"]
    assert table.groupby("finding")["pairs"].sum().eq(12).all()
