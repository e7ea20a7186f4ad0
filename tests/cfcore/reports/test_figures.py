import pytest

from cfcore.reports.colours import ARM_COLOURS, MARKERS, contrast, from_hex, ink, shade
from cfcore.reports.figures import COEFFICIENT_NAMES, agreement_forest, findings_heat, time_per_case


def test_heat_has_a_cell_for_every_finding_and_arm(table):
    figure = findings_heat(table)
    assert len(figure.layout.shapes) == len(figure.layout.annotations) == len(table)
    first = table.iloc[0]
    assert figure.layout.annotations[0].text.startswith(f"✓ {100 * first.share:.0f} %")
    assert list(figure.layout.xaxis.ticktext) == ["v17 +", "v2 −"]


@pytest.mark.parametrize("coefficient", COEFFICIENT_NAMES)
def test_forest_shows_the_defined_estimates(table, coefficient):
    figure = agreement_forest(table, coefficient)
    assert [trace.name for trace in figure.data] == ["v17 +", "v2 −"]
    defined = table[coefficient].notna()
    assert sum(len(trace.x) for trace in figure.data) == defined.sum()
    assert sorted(x for trace in figure.data for x in trace.x) == sorted(table.loc[defined, coefficient])
    assert len({trace.marker.symbol for trace in figure.data}) == 2


def test_forest_refuses_what_it_does_not_know(table):
    with pytest.raises(ValueError, match="Unknown coefficient"):
        agreement_forest(table, "kappa")


def test_time_per_case_follows_each_readers_own_order(decoded):
    figure = time_per_case(decoded)
    points = [trace for trace in figure.data if trace.mode == "markers"]
    assert len(points) == 3 and all(list(trace.x) == list(range(1, 13)) for trace in points)
    assert not time_per_case(decoded.iloc[:0]).data


def test_colours_read_on_white_and_text_reads_on_every_shade():
    assert all(contrast(from_hex(c), (255, 255, 255)) >= 4.5 for c in ARM_COLOURS)
    assert len(set(ARM_COLOURS)) == len(set(MARKERS)) == 6
    for faint in (False, True):
        for percent in range(101):
            back = shade(percent / 100, faint)
            assert contrast(back, from_hex(ink(back))) >= 4.5


def test_long_findings_are_folded_beside_the_forest(table):
    ticks = agreement_forest(table.assign(label="Increased cardiothoracic ratio")).layout.yaxis.ticktext
    assert ticks[0] == "Increased<br>cardiothoracic ratio"
