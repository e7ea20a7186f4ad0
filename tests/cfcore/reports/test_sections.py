"""Tables of questions as people read them."""

from __future__ import annotations

import pandas as pd

from cfcore.reports.sections import as_read


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
