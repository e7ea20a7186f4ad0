import re

import numpy as np
import pandas as pd
import pytest

from cfcore.reports.footnotes import Footnotes
from cfcore.reports.numbers import axis_start, decimal, folding, number, percent, spread, with_spread
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


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ("−0.35 (−1.00 to 0.63)", ["−0.35", "(−1.00 to 0.63)"]),
        ("58 % (44 to 70)", ["58 %", "(44 to 70)"]),
        ("−4.0 to 3.3 (−7.5 to −0.4; −0.2 to 6.9)", ["−4.0 to 3.3", "(−7.5 to −0.4;", "−0.2 to 6.9)"]),
    ],
)
def test_a_cell_folds_between_a_number_and_its_interval_only(cell, parts):
    assert folding(cell) == " ".join(f"<nobr>{part}</nobr>" for part in parts)


@pytest.mark.parametrize("cell", ["–", "12", "Effusion (left)", "&lt;b&gt; (1 to 2)", "12 (3 of 4)"])
def test_any_other_cell_stays_as_it_is(cell):
    assert folding(cell) == cell


def test_forest_draws_marker_line_and_value_or_says_undefined():
    rows = {
        ("ctr", "a"): {"ac1": 0.8, "ac1_low": -0.3, "ac1_high": 1.0},
        ("ctr", "b"): {"ac1": None, "ac1_low": None, "ac1_high": None},
    }
    svg = forest_svg(rows, [("ctr", "<Ratio>")], [("a", "A"), ("b", "B")])
    assert svg.count('class="ci"') == 1 and "0.80 (−0.30 to 1.00)" in svg
    assert svg.count("not defined") == 1 and "&lt;Ratio&gt;" in svg
    ticks = re.findall(r'class="tick"[^>]*>([^<]*)<', svg)
    assert ticks == ["−0.2", "0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]


def test_scale_bar_fills_its_width():
    import re

    widths = [float(w) for w in re.findall(r'width="([\d.]+)"', scale_bar([0.1, None, 0.4, 0.5]))]
    assert sum(widths) == pytest.approx(160, abs=0.2) and len(widths) == 3
    assert scale_bar([None, None]) == ""


@pytest.mark.parametrize(
    ("values", "start"), [([], 0.0), ([0.3, 0.9], 0.0), ([-0.01, 0.9], -0.05), ([-0.3], -0.3), ([-1.2], -1.0)]
)
def test_an_axis_goes_no_lower_than_its_values(values, start):
    assert axis_start(values) == pytest.approx(start)


def test_a_small_negative_bound_brings_no_tick_below_nought():
    rows = {("ctr", "a"): {"ac1": 0.8, "ac1_low": -0.01, "ac1_high": 1.0}}
    ticks = re.findall(r'class="tick"[^>]*>([^<]*)<', forest_svg(rows, [("ctr", "Ratio")], [("a", "A")]))
    assert ticks == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]


def test_a_missing_interval_always_has_a_reason():
    notes = Footnotes()
    assert notes.of({"ac1": 0.5, "ac1_low": 0.2, "ac1_high": 0.7, "ac1_note": ""}, "ac1") == ""
    assert notes.of({"ac1": 0.5, "ac1_low": None, "ac1_high": None, "ac1_note": None}, "ac1") == "<sup>a</sup>"
    assert notes.of({"ac1": 1.0, "ac1_low": np.nan, "ac1_note": "one patient: no interval"}, "ac1") == "<sup>b</sup>"
    assert notes.of({"ac1": None}, "ac1") == "<sup>c</sup>" and notes.of({}, "ac1") == "<sup>c</sup>"
    assert notes.of({"share": 0.1, "share_note": "defined in 9 of 10 resamples"}, "share") == "<sup>d</sup>"
    assert notes.of({"share": 0.1, "share_note": "defined in 8 of 10 resamples"}, "share") == "<sup>d</sup>"
    assert [letter for letter, _ in notes.items()] == ["a", "b", "c", "d"]
    assert dict(notes.items())["b"] == "one patient: no interval"
