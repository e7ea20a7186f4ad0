"""What a readers' title gives away is named; that a whole protocol is held to it stands in test_protocol."""

from __future__ import annotations

import pytest

from cfcore.engines.catalogue import METHODS
from cfcore.study.neutral_title import title_problems


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_no_method_of_the_catalogue_may_be_named(method) -> None:
    for name in (method.name, method.short):
        assert any(f"names a method (“{name.casefold()}”)" in p for p in title_problems(f"Series, {name}.", [], []))


@pytest.mark.parametrize(
    ("title", "what"),
    [
        ("Lesions of the brain", "a pathology (“lesion”)"),
        ("Ventricles, part 2", "a finding (“Changed ventricles”)"),
        ("MR images, v17+", "an arm (“v17+”)"),
        ("  ", "title is empty"),
    ],
)
def test_what_is_told_is_named(title: str, what: str) -> None:
    found = title_problems(title, ["Changed ventricles"], ["v17+", "v17 +", ""])
    assert any(what in problem for problem in found)


@pytest.mark.parametrize("title", ["MR images, series 1", "Digits, series 2", "Right side, bright"])
def test_what_tells_nothing_passes(title: str) -> None:
    assert title_problems(title, ["Changed ventricles"], ["v17+", "v17 +"]) == []
