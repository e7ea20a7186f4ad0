"""The cardiothoracic ratio from two lines, and what is refused as a line."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.study.measuring import cardiothoracic_ratio, checked_measures

HEART, CHEST = [100.0, 300.0, 340.0, 300.0], [40.0, 360.0, 520.0, 360.0]


def test_half_the_chest_is_one_half() -> None:
    assert cardiothoracic_ratio(HEART, CHEST) == pytest.approx(240 / 480)
    with pytest.raises(ValueError, match="shorter than a pixel"):
        cardiothoracic_ratio(HEART, [5, 5, 5, 5])


def test_the_ratio_is_computed_here_and_never_taken_over() -> None:
    found = checked_measures({"A": {"heart": HEART, "chest": CHEST, "ratio": 0.9}, "B": {"heart": HEART}}, 600, 400)
    assert found == {"A": {"heart": HEART, "chest": CHEST, "ratio": 0.5}, "B": {"heart": HEART}}
    assert checked_measures({"A": {}}, 600, 400) == {}


@pytest.mark.parametrize(
    ("measures", "named"),
    [
        ([], "by side"),
        ({"C": {"heart": HEART}}, "“C” is no side"),
        ({"A": {"lung": HEART}}, "“lung” is no line"),
        ({"A": {"heart": [1, 2, 3]}}, "four numbers"),
        ({"A": {"heart": [1, 2, 3, math.nan]}}, "four numbers"),
        ({"A": {"heart": [1, 2, 3, True]}}, "four numbers"),
        ({"A": {"heart": "1234"}}, "four numbers"),
        ({"A": {"heart": [1, 2, 601, 2]}}, "leaves the image"),
        ({"A": {"heart": [5, 5, 5.2, 5]}}, "shorter than a pixel"),
    ],
)
def test_a_wrong_line_is_refused_by_name(measures: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        checked_measures(measures, 600, 400)


@given(st.lists(st.floats(0, 400), min_size=8, max_size=8), st.floats(0.1, 10))
def test_the_ratio_does_not_depend_on_the_size_of_the_image(ends: list[float], scale: float) -> None:
    heart, chest = ends[:4], ends[4:]
    if math.dist(chest[:2], chest[2:]) < 2 or math.dist(chest[:2], chest[2:]) * scale < 2:
        return
    bigger = cardiothoracic_ratio([v * scale for v in heart], [v * scale for v in chest])
    assert bigger == pytest.approx(cardiothoracic_ratio(heart, chest), rel=1e-6, abs=1e-9)
