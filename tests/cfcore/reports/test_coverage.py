import xml.etree.ElementTree as ET

from cfcore.reports.coverage import coverage_svg
from cfcore.study.coverage import Scenario

SVG = "{http://www.w3.org/2000/svg}"


def row(statistic, interval, covered, without=0.0, scenario="30_common"):
    width = None if covered is None else 0.2
    names = ("scenario", "statistic", "interval", "covered", "width", "without")
    return dict(zip(names, (scenario, statistic, interval, covered, width, without), strict=True))


def drawn(*rows):
    return ET.fromstring(coverage_svg(rows, {"30_common": Scenario(30)}, {"ac1": "AC1", "share": "Share"}, 500))


def marks(tree):
    """(what it says, its x) of every mark of the panel."""
    return [
        (group.findtext(f"{SVG}title"), next(float(m.get("cx")) for m in group if m.get("cx")))
        for group in tree.iter(f"{SVG}g")
    ]


def test_a_mark_lies_where_its_share_is_and_its_bar_around_it():
    tree = drawn(row("ac1", "bootstrap over patients", 0.95), row("share", "bootstrap over patients", 1.0))
    (told, x), (_, right) = marks(tree)
    assert told == "ac1, bootstrap over patients: 95.0 % of 500 intervals, median width 0.20"
    nominal = [line for line in tree.iter(f"{SVG}line") if line.get("stroke-dasharray")][-1]
    assert abs(float(nominal.get("x1")) - x) < 0.1 and right > x
    bars = [line for line in tree.iter(f"{SVG}line") if line.get("stroke-width") == "1.6"]
    assert float(bars[0].get("x1")) < x < float(bars[0].get("x2"))
    assert float(bars[0].get("y1")) < float(bars[1].get("y1"))


def test_without_an_interval_there_is_no_mark_and_with_few_a_hollow_one():
    tree = drawn(row("ac1", "closed form", None, 1.0), row("share", "Wilson, one reader", 0.9, 0.4))
    panel = list(tree.iter(f"{SVG}g"))
    assert len(panel) == 1 and panel[0].find(f"{SVG}polygon").get("fill") == "#ffffff"
    assert "of 300 intervals" in panel[0].findtext(f"{SVG}title")


def test_what_lies_below_one_half_is_drawn_at_the_edge():
    low, edge = (marks(drawn(row("ac1", "bootstrap over patients", covered)))[0][1] for covered in (0.2, 0.5))
    assert low == edge
