"""What tells one run from another of the same name."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from cfcore.engines import catalogue
from services.changed_settings import changed_settings, chosen_values


def test_only_what_differs_from_the_defaults_is_told() -> None:
    config = {"basis": "balanced", "k": 8, "scan": 8, "degree": 10.0, "race": 2.5, "consistent": True}
    found = ["basis balanced", "scan 8", "Drop eigenvectors whose two signs both raise the logit", "race 2.5"]
    assert changed_settings("eigenfind", config) == found
    assert changed_settings("eigenfind", config, choices_only=True) == ["basis balanced"]
    assert chosen_values("eigenfind", config) == ["balanced"]
    assert changed_settings("attfind", {"selection": "subset", "verified": 0.04}) == [
        "selection subset",
        "verified 4 %",
    ]


@pytest.mark.parametrize("name", list(catalogue.METHODS))
def test_a_methods_defaults_are_told_as_nothing(name: str) -> None:
    assert changed_settings(name, asdict(catalogue.METHODS[name].config_class()())) == []


def test_what_is_not_known_here_is_left_out() -> None:
    assert changed_settings(None, {"basis": "balanced"}) == []
    assert changed_settings("a method of a plugin", {"basis": "balanced"}) == []
    assert changed_settings("eigenfind", {"an older setting": 3}) == []
