import numpy as np
import pandas as pd
import pytest

from cfcore.reports.numbers import decimal, number, percent, spread, with_spread
from cfcore.reports.svg import forest_svg, scale_bar


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_missing_is_a_dash_never_nan(missing):
    assert number(missing) is None
    assert decimal(missing) == percent(missing) == with_spread({"ac1": missing}, "ac1") == "–"


def test_numbers():
    assert decimal(-0.034) == "−0.03" and decimal(-0.0001) == "0.00" and percent(0.984) == "98 %"
    row = {"ac1": 0.714, "ac1_low": -0.05, "ac1_high": 0.9}
    assert with_spread(row, "ac1") == "0.71 (−0.05 to 0.90)"
    assert with_spread(row, "ac1", share=True) == "71 % (−5 to 90)"
    assert spread({"ac1": 1.0, "ac1_low": None, "ac1_high": None}, "ac1") == ""


def test_forest_draws_marker_line_and_value_or_says_undefined():
    rows = {
        ("ctr", "a"): {"ac1": 0.8, "ac1_low": -0.3, "ac1_high": 1.0},
        ("ctr", "b"): {"ac1": None, "ac1_low": None, "ac1_high": None},
    }
    svg = forest_svg(rows, [("ctr", "<Ratio>")], [("a", "A"), ("b", "B")])
    assert svg.count('class="ci"') == 1 and "0.80 (−0.30 to 1.00)" in svg
    assert svg.count("not defined") == 1 and "&lt;Ratio&gt;" in svg and "−0.4" in svg


def test_scale_bar_fills_its_width():
    import re

    widths = [float(w) for w in re.findall(r'width="([\d.]+)"', scale_bar([0.1, None, 0.4, 0.5]))]
    assert sum(widths) == pytest.approx(160, abs=0.2) and len(widths) == 3
    assert scale_bar([None, None]) == ""
