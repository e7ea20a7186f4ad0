"""What leaves for other programs: R, SPSS, iMRMC, Excel."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cfcore.reports.imrmc import imrmc_file
from cfcore.reports.syntax import r_syntax, spss_syntax
from cfcore.reports.tidy import LONG_COLUMNS, long_table, to_csv
from cfcore.reports.workbook import workbook
from tests.cfcore.reports.whole_study import WHOLE, whole_study


def long_csv() -> str:
    decoded, rated, answers = whole_study()
    return to_csv(long_table(decoded, rated, answers, WHOLE, WHOLE.seed))


def test_syntax_names_every_column_and_quotes_what_is_odd() -> None:
    r, spss = r_syntax(WHOLE), spss_syntax(WHOLE)
    for name in LONG_COLUMNS:
        assert f'{name} = "' in r and f"\n  {name} " in spss
    assert "“all in all”? Now" in r and "\n'" not in spss.replace("\n  '", "")
    assert "'How sure are you" in spss


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed here")
def test_r_reads_the_long_table(tmp_path: Path) -> None:
    (tmp_path / "readings-long.csv").write_text(long_csv())
    (tmp_path / "readings.R").write_text(r_syntax(WHOLE))
    ask = 'source("readings.R"); cat(nrow(readings), sum(readings$appears, na.rm = TRUE), levels(readings$arm_label))'
    out = subprocess.run(["Rscript", "-e", ask], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    table = pd.read_csv(io.StringIO(long_csv()), dtype=str)
    assert out == f"{len(table)} {(table['appears'] == 'true').sum()} v17 + v2 −"


def test_imrmc_has_a_truth_for_every_case_and_gives_the_same_difference() -> None:
    decoded = whole_study()[0]
    lines = imrmc_file(decoded, "ctr", "Study,\nwith a line break").splitlines()
    head, rows = (
        lines[: lines.index("BEGIN DATA:")],
        [line.split(",") for line in lines[lines.index("BEGIN DATA:") + 1 :]],
    )
    assert "N0:12" in head and "N1:12" in head and "NR:3" in head and "NM:2" in head
    truth = {row[1]: int(row[3]) for row in rows if row[0] == "-1"}
    scores = pd.DataFrame([row for row in rows if row[0] != "-1"], columns=["reader", "case", "arm", "score"])
    assert set(scores["case"]) == set(truth) and all(len(row) == 4 for row in rows)
    own = scores[scores["arm"] == "v17+"]
    own = own.assign(truth=lambda t: t["case"].map(truth), score=lambda t: t["score"].astype(int))
    means = own.groupby("truth")["score"].mean()
    read = decoded[(decoded["finding"] == "ctr") & (decoded["arm"] == "v17+") & (decoded["purpose"] == "reading")]
    seen = read[read["status"] == "assessed"]
    assert means[1] - means[0] == pytest.approx(float(seen["in_counterfactual"].mean() - seen["in_original"].mean()))


def test_a_workbook_reads_back_and_runs_no_formula() -> None:
    table = pd.DataFrame(
        {"a": [1.5, None], "d": ["x", "y"], "b": ["=1+1", None], "c": pd.array([True, pd.NA], dtype="boolean")}
    )
    data = workbook({"one/two": table, "ONE two": table})
    sheets = pd.read_excel(io.BytesIO(data), sheet_name=None, engine="openpyxl")
    assert list(sheets) == ["one two", "ONE two 2"]
    back = sheets["one two"]
    assert back["a"][0] == 1.5 and np.isnan(back["a"][1]) and back["b"][0] == "=1+1" and bool(back["c"][0]) is True
    assert data == workbook({"one/two": table, "ONE two": table}), "the same tables give the same file"
    with pytest.raises(ValueError, match="needs a table"):
        workbook({})
