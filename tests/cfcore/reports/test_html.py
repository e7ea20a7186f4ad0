import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from cfcore.reports.content import Picture, ReportCase, ReportEntry
from cfcore.reports.html import LIMITATIONS, study_report
from cfcore.study.decode import decode_ratings, decode_readings
from cfcore.study.findings import findings_table, headline, per_reader
from cfcore.study.protocol import digest
from cfcore.study.ratings import ratings_table
from cfcore.study.readers import readers_table

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Collects tags, links and text, and holds that every element is closed in its order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.sources, self.text, self.stack = [], [], [], []
        self.feed(html)
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [(name, value) for name, value in attrs if name in ("src", "href") or name.startswith("on")]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if "style" not in self.stack:
            self.text.append(data)


@pytest.fixture(scope="module")
def html(content):
    return study_report(content)


def test_it_is_whole_small_and_loads_nothing(html):
    page = Page(html)
    assert len(html.encode()) < 1_000_000
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert all(value.startswith(("#", "data:image/png;base64,")) for _, value in page.sources)
    assert not re.search(r"url\(|@import", html)


def test_it_holds_every_section(html):
    for name in (
        "summary",
        "methods",
        "findings",
        "agreement",
        "ratings",
        "readers",
        "cases",
        "notebook",
        "limitations",
    ):
        assert f'<section id="{name}">' in html and f'href="#{name}"' in html


def test_a_wide_table_is_printed_with_its_heading(html):
    """On paper a wide part begins a page turned sideways: its heading must be in it."""
    parts = html.split('<div class="wide">')[1:]
    assert len(parts) >= 2 and all(part.lstrip().startswith(("<h2>", "<h3>")) for part in parts)
    for heading in ("All coefficients", "Ratings"):
        assert any(f">{heading}</h" in part.partition("<table")[0] for part in parts), heading


def test_it_tells_the_results(html, content):
    text = " ".join(" ".join(Page(html).text).split())
    assert digest(content.protocol) in text
    assert "36 of 36" in text and "3 readers" in text and "12 pairs of 12 patients" in text
    row = content.findings.iloc[0]
    assert row.finding == "ctr" and row.majority is True
    assert f"✓ {100 * row.share:.0f} %" in text
    assert re.search(r"v17 \+ Increased cardiothoracic ratio \(\d+ %, \d+ to \d+\)", text)
    assert "v2 − no listed finding" in text or "v2 − Older patient" in text
    assert all(sentence in text for sentence in LIMITATIONS)
    assert "are programs with set skill" in text
    assert "nan" not in text.lower().split() and "None" not in text and "NA" not in text.split()


def test_everything_is_escaped(html):
    assert "Cardiomegaly &amp; &lt;friends&gt;" in html and "<friends>" not in html
    assert "tip &lt;i&gt;odd&lt;/i&gt;" in html
    assert "Only &lt;twelve&gt; pairs." in html
    assert "<em>hearts</em>" in html and "alert(1)" not in html


def test_pictures_that_do_not_fit_are_left_out_and_counted(content):
    roomy, tight = study_report(content), study_report(content, max_bytes=0)
    assert roomy.count("data:image/png") == 5 and "left out" not in roomy
    assert "data:image/png" not in tight and "5 pictures are left out" in tight
    with pytest.raises(ValueError, match="not a PNG"):
        study_report(dataclasses.replace(content, entries=[ReportEntry("x", png=b"GIF89a")]))


def test_a_full_study_stays_under_a_megabyte(content):
    noise = b"\x89PNG\r\n\x1a\n" + np.random.default_rng(0).bytes(60_000)
    reading = content.cases[0].readings[0]
    cases = [
        ReportCase(
            f"C{i}", "P", "v17+", [reading] * 4, {}, [Picture("Original", noise), Picture("Counterfactual", noise)]
        )
        for i in range(40)
    ]
    html = study_report(dataclasses.replace(content, cases=cases))
    assert len(html.encode()) < 1_000_000 and "pictures are left out" in html


def test_a_study_without_readings_or_extras_still_makes_a_report(content):
    keys = [f.key for f in content.protocol.findings]
    empty, unrated = decode_readings([], keys), decode_ratings([])
    rng, protocol = np.random.default_rng(0), content.protocol
    bare = dataclasses.replace(
        content,
        digest="not locked",
        headline=headline(empty, rng),
        findings=findings_table(empty, protocol.findings, protocol.arms, rng),
        per_reader=per_reader(empty, protocol.findings, protocol.arms),
        readers=readers_table(empty),
        ratings=ratings_table(unrated, protocol.ratings, protocol.arms, rng),
        pairs_of_readers=None,
        cases=(),
        entries=(),
        simulated=(),
        interim=True,
    )
    html = study_report(bare)
    text = " ".join(" ".join(Page(html).text).split())
    assert "0 of 0" in text and "no reading" in text and "not defined" in text and "Interim." in text
    assert 'id="cases"' not in html and 'id="notebook"' not in html
    assert "nan" not in text.split()


def test_every_colour_of_text_meets_aa(html):
    from cfcore.reports.colours import contrast, from_hex

    pairs = re.findall(r"background:(#[0-9a-f]{6});color:(#[0-9a-f]{6})", html)
    assert pairs and all(contrast(from_hex(back), from_hex(text)) >= 4.5 for back, text in pairs)
    style = html.split("<style>")[1].split("</style>")[0]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", style))
    for name in ("ink", "muted", "accent"):
        assert contrast(from_hex(colours[name]), (255, 255, 255)) >= 4.5
