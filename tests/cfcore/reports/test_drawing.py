from __future__ import annotations

from xml.etree import ElementTree

import plotly.graph_objects as go
import pytest

from cfcore.reports.charts import comparison_forest, p_value
from cfcore.reports.drawing import svg_of
from cfcore.reports.interactive import scripts
from cfcore.reports.sections import study_figures
from cfcore.reports.tables import study_tables
from tests.cfcore.reports.whole_study import ASKED, WHOLE, whole_study

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def figures() -> list:
    tables = study_tables(*whole_study(), ASKED, WHOLE.seed)
    return study_figures(WHOLE, tables, whole_study()[0])


def test_every_figure_is_drawn_whole_and_inside_its_frame(figures: list) -> None:
    assert [f.key for f in figures] == [
        "findings", "table-2", "difference", "slopes", "ac1", "pairs-of-readers", "comparisons", "times",
    ]  # fmt: skip
    for figure in figures:
        root = ElementTree.fromstring(figure.svg())
        width, height = (float(v) for v in root.attrib["viewBox"].split()[2:])
        marks = [*root.iter(f"{SVG}circle")]
        assert root.attrib["aria-label"] == figure.title
        assert all(0 <= float(m.attrib["cx"]) <= width and 0 <= float(m.attrib["cy"]) <= height for m in marks)
        assert "nan" not in figure.svg()


def test_a_point_lies_where_its_number_says() -> None:
    figure = go.Figure(go.Scatter(x=[0, 50, 100], y=[0, 5, 10], mode="markers"))
    figure.update_layout(height=300).update_xaxes(range=[0, 100]).update_yaxes(range=[0, 10])
    x, y = (
        [float(c.attrib[n]) for c in ElementTree.fromstring(svg_of(figure)).iter(f"{SVG}circle")] for n in ("cx", "cy")
    )
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2) and x[0] < x[2]
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2) and y[0] > y[2]


def test_text_is_escaped_and_another_trace_refused() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[1], name="<b>&", mode="markers"))
    root = ElementTree.fromstring(svg_of(figure, title="a < b"))
    assert any("&" in (t.text or "") for t in root.iter(f"{SVG}tspan"))
    with pytest.raises(ValueError, match="'bar' cannot be drawn"):
        svg_of(go.Figure(go.Bar(x=[1], y=[1])))


def test_scripts_hold_plotly_once_and_nothing_else_may_run(figures: list) -> None:
    found = scripts(figures)
    assert found.markup.count("<script>") == 2 and found.markup.count("plotly.js v") == 1
    assert found.policy.count("sha256-") == 2 and "unsafe-eval" not in found.policy
    assert "script-src 'sha256" in found.policy and "'unsafe-inline' 'sha" not in found.policy
    assert scripts([]).markup == ""


@pytest.mark.parametrize(
    ("p", "said"), [(0.0004, "< 0.001"), (0.0136, "0.014"), (0.38, "0.38"), (None, "–"), (0.0499, "0.050")]
)
def test_p_values_as_journals_want_them(p: float | None, said: str) -> None:
    assert p_value(p) == said


def test_comparisons_without_a_difference_give_an_empty_forest() -> None:
    tables = study_tables(*whole_study(), ASKED, WHOLE.seed)
    none = tables.comparisons.assign(difference=None)
    assert len(comparison_forest(none).data[0].x) == 0
