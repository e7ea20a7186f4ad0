"""Tables of questions as people read them."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd

from cfcore.reports.others import questions_of, ratings_on_repeats, strengths_of
from cfcore.reports.sections import (
    ONCE_PER_ARM,
    REAL,
    REPEATED_HEADS,
    STRENGTHS,
    as_read,
    question_blocks,
    repeated_rows,
)
from cfcore.study.decode import decode_ratings
from cfcore.study.protocol import Rating
from cfcore.study.questions import ForcedChoice, Likert
from tests.cfcore.reports.conftest import ARMS, PROTOCOL


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
    strengths = strengths_of([], questions, PROTOCOL.arms, np.random.default_rng(0))
    each, once = question_blocks(dataclasses.replace(PROTOCOL, questions=questions), tables, strengths)
    assert each["strengths"] is None and once["strengths"] is None
    assert (each["text"], each["said"], each["heads"]) == (
        "Sure, case?", "", ["Arm", "Readings", "Readers", "Patients", "Mean"],
    )  # fmt: skip
    assert (once["said"], once["heads"]) == (ONCE_PER_ARM, ["Arm", "Readings", "Readers", "Mean"])


def test_a_forced_choice_says_how_arms_and_originals_stand() -> None:
    real = ForcedChoice(key="real", text="Which one is real?", right="original")
    rows = [
        {"reader": "R1", "arm": "v17+", "patient": f"P{i}", "pair": i, "purpose": "reading", "position": i}
        | {"original_side": "A", "given": {"real": "B" if i < 9 else "A"}}
        for i in range(12)
    ]
    rng = np.random.default_rng(0)
    tables = questions_of(rows, [real], ARMS, rng)
    (block,) = question_blocks(
        dataclasses.replace(PROTOCOL, questions=(real,)), tables, strengths_of(rows, [real], ARMS, rng)
    )
    strengths = block["strengths"]
    assert block["heads"][-3:] == ["Counterfactual chosen", "p (of one half)", "Right answers"]
    assert strengths["counts"] == [1, 2]
    assert strengths["heads"] == ["Arm", "Shown", "Chosen", "Strength (log odds)", "Chance of being chosen"]
    assert [row[:3] for row in strengths["rows"]] == [
        ["v17 +", "12", "9"],
        ["originals, all arms", "12", "3"],
        ["v2 −", "0", "0"],
    ]
    assert strengths["rows"][0][3].startswith("0.50 (") and strengths["rows"][0][4].startswith("73 % (")
    assert strengths["said"] == f"{STRENGTHS} {REAL} v2 −: no choice."


def test_ratings_on_repeats_are_read_with_their_question_and_only_where_there_are_any() -> None:
    scale = Rating("realism", "Real?", "no", "yes", 5)
    first = [
        {"reader": r, "arm": "v17+", "patient": f"P{i}", "pair": i, "purpose": "reading", "position": i, "seconds": 3.0}
        | {"original_side": "A", "answers": {}, "ratings": {"realism": 1 + i % 5}}
        for r in ("R1", "R2")
        for i in range(6)
    ]
    again = [row | {"purpose": "repeat", "position": 6 + row["position"]} for row in first if row["reader"] == "R1"]
    again[0] = again[0] | {"ratings": {"realism": 3}}
    asked = dataclasses.replace(PROTOCOL, ratings=(scale,))
    table = ratings_on_repeats(decode_ratings([*first, *again], ["realism"]), [scale])
    (row,) = repeated_rows(asked, table)
    assert (row["reader"], row["question"], row["repeats"]) == ("R1", "Real?", 6)
    assert row["span"] == 1 and len(row["cells"]) == len(REPEATED_HEADS) - 3
    assert row["cells"][2]["value"].startswith("−0.3 (")
    assert re.fullmatch(r"−\d\.\d to \d\.\d \(.+ to .+; .+ to .+\)", row["cells"][3]["value"])
    assert ratings_on_repeats(decode_ratings(first, ["realism"]), [scale]).empty
