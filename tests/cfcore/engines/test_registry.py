"""What holds for every registered engine: a name, a page in docs/methods, the paper's settings as defaults."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cfcore.engines.base import Engine
from cfcore.engines.registry import ENGINES, engine_class

METHODS = Path(__file__).parents[3] / "docs" / "methods"


@pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))
def test_every_engine_is_described_and_documented(engine: type[Engine]) -> None:
    assert engine.name in ENGINES and engine.title and engine.paper
    low, high = engine.degree_range
    assert low < engine.default_degree <= high
    config = engine.Config()
    assert dataclasses.is_dataclass(config)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.degree = 1.0
    rows = (METHODS / "README.md").read_text().splitlines()
    (row,) = [row for row in rows if row.startswith("|") and row.split("|")[2].strip() == f"`{engine.name}`"]
    page = (METHODS / row.split("](")[1].removesuffix(") |")).read_text()
    assert row.startswith(f"| {engine.title} |") and "## Limitations" in page


def test_unknown_engines_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no engine 'magic'; known are eigenfind"):
        engine_class("magic")
