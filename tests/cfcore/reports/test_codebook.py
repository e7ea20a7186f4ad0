import csv
import io

from cfcore.reports.codebook import codebook, tidy_csv
from cfcore.study.decode import RATING_COLUMNS, READING_COLUMNS, decode_readings


def lines(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_the_csv_holds_every_reading_as_decoded(decoded):
    rows = lines(tidy_csv(decoded))
    assert len(rows) == len(decoded) and tuple(rows[0]) == READING_COLUMNS
    words = {"true": True, "false": False}
    for row, appears in zip(rows, decoded.appears, strict=True):
        assert (row["appears"] == "") if row["status"] != "assessed" else words[row["appears"]] == appears
    assert {row["status"] for row in rows} == {"assessed", "cannot"}
    assert all(row["position"].isdigit() for row in rows)


def test_every_column_and_key_stands_in_the_codebook(content):
    rows = lines(codebook(content.protocol))
    named = {row["column"] for row in rows}
    assert set(READING_COLUMNS) | set(RATING_COLUMNS) <= named
    assert {f"finding = {f.key}" for f in content.protocol.findings} <= named
    assert {f"rating = {r.key}" for r in content.protocol.ratings} <= named
    assert all(row["meaning"] for row in rows)
    seconds = next(row for row in rows if row["column"] == "seconds")
    assert seconds["unit"] == "s"


def test_a_spreadsheet_runs_nothing():
    trial = {"reader": "=cmd()", "arm": "-v1", "patient": "p", "pair": 1, "original_side": "A", "answers": {"ctr": "A"}}
    row = lines(tidy_csv(decode_readings([trial])))[0]
    assert row["reader"] == "'=cmd()" and row["arm"] == "'-v1" and row["disappears"] == "true"


def test_empty_tables_keep_their_header():
    assert tidy_csv(decode_readings([])).strip() == ",".join(READING_COLUMNS)
