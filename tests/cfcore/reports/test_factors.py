"""What a direction moves, in words and in a table."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cfcore.metrics.factor_effects import EffectOf, direction_effect, reveals
from cfcore.metrics.factor_names import LABELS
from cfcore.metrics.phantom_factors import SPREAD
from cfcore.reports.factors import rows, section, sentence, sentences_html, table_html

DEGREES = (0.0, 5.0, 10.0)


def moved(name: str = "v3 +", lost: int = 0, **ends: float) -> EffectOf:
    """Every image's factors go in a straight line from 0.1 to 0.1 + the given change; `lost` of four are not
    measurable."""
    values = {}
    for factor in LABELS:
        along = 0.1 + np.linspace(0, ends.get(factor, 0.0), 3)[:, None] * np.ones((1, 4))
        along[:, :lost] = np.nan
        values[factor] = along
    return EffectOf(name, 1, direction_effect(DEGREES, values, SPREAD), reveals(DEGREES, values["device"]))


def test_the_sentence_names_what_moves_most_then_what_leaks() -> None:
    said = sentence(moved(cardiothoracic_ratio=0.10, age=7.3))
    assert said.startswith("makes the heart wider: cardiothoracic ratio +0.10 (+1.4 SD, step by step, ρ +1.00).")
    assert "It also makes the patient look older (+0.5 SD); 26 % of all change is in other factors." in said
    assert "pacemaker" not in said
    assert "narrower" in sentence(moved(cardiothoracic_ratio=-0.10)) and "−0.10" in sentence(
        moved(cardiothoracic_ratio=-0.10)
    )


def test_a_direction_that_moves_nothing_or_draws_a_pacemaker_says_so() -> None:
    assert sentence(moved(age=1.0)) == "moves no factor by more than 0.2 standard deviations."
    assert "reveals a pacemaker: one appears in 100 % of the 4 images" in sentence(moved(device=0.8))
    assert sentence(moved(lost=4, age=9.0)) == "none of its pictures could be measured."


def test_the_table_frames_the_main_factor_and_counts_what_could_be_measured() -> None:
    html = table_html([moved(cardiothoracic_ratio=0.10), moved("v5 -", lost=1, effusion=-0.2)])
    assert html.count("class=main") == 2 and "3 of 4 measured" in html and "v5 −" in html
    framed = re.findall(r"<td class=main[^>]*>(.*?)</td>", html)
    assert framed == ["● +1.4 SD<span>ρ +1.00</span>", "● −2.6 SD<span>ρ −1.00</span>"]
    assert html.count("<tr>") == 1 + len(LABELS) and "0 of 4" in html
    nothing = table_html([moved(lost=4)])
    assert "class=main" not in nothing and nothing.count(">–</td>") == len(LABELS) + 2


def test_the_reports_section_sets_the_readers_beside_the_truth() -> None:
    assert section([]) == ""
    cell = {"share": 0.75, "share_low": 0.3, "share_high": 0.95, "majority": True, "readers": 0.5}
    html = section([moved(age=20.0)], ["v3 +", "v5 −"], [("Older <patient>", [cell, None])])
    assert "Older &lt;patient&gt;" in html and "✓ 75 %<span>30 to 95</span><span>readers 50 %</span>" in html
    assert html.count("<td>–</td>") == 1 and "truly appears" not in section([moved(age=20.0)])


@pytest.mark.parametrize("name", ["<b>v1</b> +", "v1 -"])
def test_names_are_escaped_and_rows_have_every_factor(name: str) -> None:
    one = moved(name, age=20.0)
    assert "<b>v1</b>" not in table_html([one]) and "<b><b>" not in sentences_html([one])
    table = rows([one])
    assert [row["factor"] for row in table] == list(LABELS)
    assert [row["factor"] for row in table if row["main"]] == ["age"]
    assert table[0]["images"] == 4 and not table[0]["pacemaker_revealed"]
