"""Tables of questions as people read them."""

from __future__ import annotations

import dataclasses

import pandas as pd

from cfcore.reports.sections import ONCE_PER_ARM, as_read, question_blocks
from cfcore.study.questions import Likert
from tests.cfcore.reports.conftest import PROTOCOL


def test_a_table_is_read_in_words_with_shares_in_percent_and_without_empty_columns() -> None:
    estimate = {"share": 0.5, "share_low": 0.1, "share_high": 0.9, "share_note": "few"}
    rows = [
        {"arm_name": "v1 -", "finding": "ctr", "readings": 3, "missing": 0, "not_asked": 0, "sd": 1.0} | estimate,
        {"arm_name": "v2 +", "finding": "other", "readings": 3, "missing": 0, "not_asked": 2, "sd": 1.0}
        | dict.fromkeys(estimate),
    ]
    heads, cells = as_read(pd.DataFrame(rows), {"ctr": "Increased cardiothoracic ratio"})
    assert heads == ["Arm", "Finding", "Readings", "Not asked", "SD", "Share"]
    assert cells == [
        ["v1 −", "Increased cardiothoracic ratio", "3", "0", "1.00", "50 % (10 to 90)"],
        ["v2 +", "other", "3", "2", "1.00", "–"],
    ]


def test_a_table_without_rows_has_none() -> None:
    assert as_read(pd.DataFrame(), {}) == ([], [])


def test_a_question_asked_once_per_arm_counts_no_patients_and_says_why() -> None:
    questions = tuple(
        Likert(key=ask, text=f"Sure, {ask}?", low="not", high="very", ask=ask) for ask in ("case", "series")
    )
    row = {"arm": "v1+", "arm_name": "v1 +", "readings": 4, "readers": 4, "patients": 1, "mean": 2.0}
    tables = {question.key: pd.DataFrame([row]) for question in questions}
    each, once = question_blocks(dataclasses.replace(PROTOCOL, questions=questions), tables)
    assert (each["text"], each["said"], each["heads"]) == (
        "Sure, case?", "", ["Arm", "Readings", "Readers", "Patients", "Mean"],
    )  # fmt: skip
    assert (once["said"], once["heads"]) == (ONCE_PER_ARM, ["Arm", "Readings", "Readers", "Mean"])
