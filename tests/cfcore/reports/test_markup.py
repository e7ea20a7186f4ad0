import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.reports.markup import safe_html


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("<p>Plain <em>text</em></p>", "<p>Plain <em>text</em></p>"),
        ("<script>alert(1)</script>after", "after"),
        ('<img src=x onerror="alert(1)">', ""),
        ('<p onclick="x()">a</p>', "<p>a</p>"),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        (
            '<a href="https://a.org/?q=1&r=2">x</a>',
            '<a href="https://a.org/?q=1&amp;r=2" rel="noopener noreferrer">x</a>',
        ),
        ("<h1>Big</h1>", "<h4>Big</h4>"),
        ("<ul><li>one", "<ul><li>one</li></ul>"),
        ("</section></main>out", "out"),
        ("1 &lt; 2 &amp; 3", "1 &lt; 2 &amp; 3"),
    ],
)
def test_notes(dirty, clean):
    assert safe_html(dirty) == clean


pieces = st.sampled_from(
    ["<p>", "</p>", "<script>", "</script>", "<b>", "<svg", "onload=x", ">", "<a href='", "'", "&lt;", "x"]
)


@given(st.lists(pieces, max_size=12).map("".join))
def test_nothing_but_the_allowed_elements_comes_out(text):
    tags = re.findall(r"<[^>]*>", safe_html(text))
    assert all(re.fullmatch(r"</?(p|a)>|<a href=\"[^\"]*\" rel=\"noopener noreferrer\">", tag) for tag in tags)
    assert safe_html(text).count("<p>") == safe_html(text).count("</p>")
